// Package gate asks quality gates: data-quality services that let a task start.
//
// An [Asker] puts the questions that the machine asks for, each as one POST of JSON, a few at once. A question that cannot be put is
// repeated; then the machine is told. A gate answers at once, in the body of its answer, or later by a call to the callback URL that the
// question holds.
//
// The last part of that URL is a token, made by a [Secret] from the name of the question. So nothing but the secret has to be kept, and a server
// that restarts repeats a question with the same token. Who has the token can answer this question and nothing else.
package gate

// Package request sends notifications as HTTP requests that a channel's settings describe: webhooks, and gateways for texts and calls.
//
// Texts in the settings are templates (text/template with {{ }}) of the notification's Fields. They may choose, and go through .Blockers;
// they cannot call each other or loop over anything else, so they end, and what they write is bounded. A body is written as YAML, whose texts are
// templates; it is encoded after they are filled in, so that nothing needs quoting and nothing can break out.
//
// No error shows the settings: a URL is named by its host, and what an answer repeats of the settings' own texts is blanked.
package request

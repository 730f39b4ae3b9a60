// Package email is the channel that sends mail through a mail server.
//
// A mail has a plain text and, when the notification has one, an HTML alternative. Its Message-ID is made of the notification's key, so a
// mail that is sent twice is shown once by programs that look at it; mails about one run refer to one thread. Headers ask other programs not to
// answer by themselves, and repeat severity, event, flow, task and run for filters.
//
// A refusal with a 4xx code and a broken connection are worth a retry; a 5xx code, a login that fails and a certificate that is not trusted are
// not. Every mail has a connection of its own.
package email

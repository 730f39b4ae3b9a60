// Package webhook is the channel that posts notifications to a URL.
//
// Without a body in its settings it sends the notification's fields as JSON; with one it sends what a chat or a paging service wants (package
// request). With a secret it signs.
package webhook

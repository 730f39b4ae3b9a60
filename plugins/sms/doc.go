// Package sms is the channel that sends text messages: to an operator's SMS centre over SMPP 3.4, or through an HTTP gateway that its settings
// describe (package request).
//
//	settings.go  what `with` holds
//	text.go      a text becomes parts: GSM 7-bit when all of its characters are in that alphabet, else UCS-2
//	pdu.go       the protocol's units
//	session.go   one bound connection: its window of requests, its answers, its delivery receipts
//	link.go      the connection to one SMS centre, made again when it is lost
//
// A connection is kept between messages, with an enquiry now and then, and given up when it was not needed for a while. A message that is
// sent again has the same reference in its parts, so that a phone puts them together once.
package sms

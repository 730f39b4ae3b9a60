// Package phone is the channel that calls people: it says the message, and a key pressed on the phone acknowledges it.
//
// A call goes through a SIP server (RFC 3261) over UDP, TCP or TLS, with digest authentication when the server asks for it. The message is spoken by
// espeak-ng, or is a WAV file. It is offered as G.711 and sent as RTP, a packet every 20 ms. Keys come as RTP events (RFC 4733) or as SIP INFO. What
// carries a call, line, lives as long as the call: one SIP endpoint and one socket for the audio.
//
// A call that nobody takes up, that is declined, or that ends before the message was said once, is unanswered: the next receiver is to be told. A call
// that was heard without a key is delivered and not acknowledged. A server that cannot be reached or is overloaded is worth a retry; a number that does
// not exist and a login that fails are not.
//
// In place of a SIP server, an HTTP gateway that makes calls can be described (package request). What becomes of its calls is not known here.
package phone

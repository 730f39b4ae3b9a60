// Package proto is the wire protocol between flowctl and its plugins: plugin.proto and the code that scripts/proto generates
// from it. Plugin authors do not import it, they use package sdk; authors in other languages start from plugin.proto.
//
// Compatibility: fields are only added. A change that an old plugin would misread raises the protocol version that
// sdk.Handshake names, and the host then serves both.
package proto

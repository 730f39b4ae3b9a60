package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// ServerName is the name in the certificate of every server. Agents expect it at whatever address they dial.
const ServerName = "flowctl-server"

// Both ends look for a dead peer this often, and give it as long to answer: ten seconds in all at the server. gRPC lets no
// client ask more often than every ten seconds.
const (
	ServerKeepalive  = 5 * time.Second
	AgentKeepalive   = 10 * time.Second
	KeepaliveTimeout = 5 * time.Second
)

// MaxMessage bounds a message in either direction, in bytes. Batches stay near BatchSize; only a single assignment or
// hello can be larger.
const (
	MaxMessage = 64 << 20
	BatchSize  = 1 << 20
	// Window is the flow-control window of streams and connections, in bytes. A fixed one also stops gRPC from measuring the
	// connection with pings, of which it sends one for nearly every message.
	Window = 8 << 20
)

// Token is the text with which one agent can join: a secret and the fingerprint of the server's authority.
type Token struct {
	Secret      string
	Fingerprint string // see Fingerprint
}

func (t Token) String() string { return t.Secret + "." + t.Fingerprint }

// Hash is what the server stores of a token.
func (t Token) Hash() string { return Fingerprint([]byte(t.Secret)) }

// ParseToken reads the text of a token.
func ParseToken(text string) (Token, error) {
	secret, fingerprint, ok := strings.Cut(strings.TrimSpace(text), ".")
	if !ok || secret == "" || len(fingerprint) != 2*sha256.Size {
		return Token{}, fmt.Errorf("this is not a join token: copy the whole line that the server printed")
	}
	return Token{Secret: secret, Fingerprint: fingerprint}, nil
}

// Fingerprint is the SHA-256 of a certificate or public key in DER, in hex.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

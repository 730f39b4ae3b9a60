package gate

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// Secret makes and checks tokens. Who knows it can answer every gate.
type Secret []byte

// Token returns what lets its bearer answer a question: the question's name and a code of it, in letters that a URL may hold.
func (s Secret) Token(k engine.GateKey) string {
	name := fmt.Appendf(nil, "%d %d %s", k.Run, k.Asked, k.Task)
	return base64.RawURLEncoding.EncodeToString(append(s.code(name), name...))
}

// Open returns the question that a token is for, false when the secret did not make it. The time it takes tells nothing of the code.
func (s Secret) Open(token string) (engine.GateKey, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < sha256.Size || !hmac.Equal(raw[:sha256.Size], s.code(raw[sha256.Size:])) {
		return engine.GateKey{}, false
	}
	parts := strings.SplitN(string(raw[sha256.Size:]), " ", 3)
	if len(parts) < 3 {
		return engine.GateKey{}, false
	}
	run, err := strconv.ParseInt(parts[0], 10, 64)
	asked, err2 := strconv.ParseInt(parts[1], 10, 64)
	return engine.GateKey{Run: engine.RunID(run), Asked: period.Instant(asked), Task: parts[2]}, err == nil && err2 == nil
}

func (s Secret) code(name []byte) []byte {
	h := hmac.New(sha256.New, s)
	_, _ = h.Write(name) // a hash never fails
	return h.Sum(nil)
}

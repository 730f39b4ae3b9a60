package phone

import (
	"strconv"
	"strings"
)

// keys are the events of RFC 4733 from 0 on; phones have those up to #.
const (
	keys         = "0123456789*#ABCD"
	keysOfPhones = 12
)

// eventKey returns the key of a telephone event (RFC 4733, section 2.3); 0 when it is none.
func eventKey(payload []byte) byte {
	if len(payload) < 4 || int(payload[0]) >= len(keys) {
		return 0
	}
	return keys[payload[0]]
}

// infoKey returns the key in the body of a SIP INFO, application/dtmf-relay (Signal=1) or application/dtmf (1); 0 when there is none.
func infoKey(kind, body string) byte {
	kind, _, _ = strings.Cut(kind, ";")
	signal := ""
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/dtmf":
		signal = body
	case "application/dtmf-relay":
		for line := range strings.Lines(body) {
			name, value, _ := strings.Cut(line, "=")
			if strings.EqualFold(strings.TrimSpace(name), "signal") {
				signal = value
				break
			}
		}
	}
	signal = strings.ToUpper(strings.TrimSpace(signal))
	if len(signal) == 1 && strings.Contains(keys, signal) {
		return signal[0]
	}
	if n, err := strconv.Atoi(signal); err == nil && n >= 10 && n < len(keys) { // some phones send the event's number
		return keys[n]
	}
	return 0
}

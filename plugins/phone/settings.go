package phone

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"flowctl/plugins/internal/request"
	"flowctl/plugins/sdk"
)

const schema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "oneOf": [{"required": ["server"]}, {"required": ["gateway"]}],
  "dependentRequired": {"server": ["from"]},
  "properties": {
    "server": {"type": "string", "minLength": 1, "description": "the SIP server that makes the calls: HOST or HOST:PORT; the port is 5060 by default, 5061 with tls"},
    "transport": {"enum": ["udp", "tcp", "tls"], "default": "udp"},
    "ca": {"type": "string", "minLength": 1, "description": "file of certificates in PEM on the server's host that the SIP server's must descend from; default: those of the system"},
    "domain": {"type": "string", "minLength": 1, "description": "the domain of the numbers; default: the host of server"},
    "from": {"type": "string", "minLength": 1, "description": "the number or account that calls; wanted with server"},
    "user": {"type": "string", "minLength": 1, "description": "default: from, when there is a password"},
    "password": {"type": "string", "minLength": 1, "description": "no login without it"},
    "register": {"type": "boolean", "default": false, "description": "log in to the registrar before each call, and out after it"},
    "plus": {"type": "string", "description": "what is dialled in place of the + of a number; default: +"},
    "ring": {"type": "string", "minLength": 1, "default": "30s", "description": "how long it rings, 1s to 45s"},
    "voice": {"type": "string", "minLength": 1, "default": "en", "description": "a voice of espeak-ng: en, en-us, cmn, de"},
    "speed": {"type": "integer", "minimum": 80, "maximum": 450, "default": 150, "description": "words in a minute"},
    "wav": {"type": "string", "minLength": 1, "description": "file on the server's host that is played in place of the text"},
    "repeat": {"type": "integer", "minimum": 1, "maximum": 10, "default": 3, "description": "how often the message is said"},
    "key": {"enum": ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#"], "default": "1", "description": "the key that acknowledges"},
    "prompt": {"type": "string", "description": "said after the text when there is something to acknowledge; default: Press KEY to acknowledge."},
    "gateway": {
      "type": "object",
      "additionalProperties": false,
      "required": ["url"],
      "description": "a request that makes a gateway call, in place of server",
      "properties": {
    ` + request.Properties + `
      }
    }
  }
}`

// The values of settings.Transport.
const (
	overUDP = "udp"
	overTCP = "tcp"
	overTLS = "tls"
)

// The bounds of settings.Ring. A call has two minutes; what is left after the longest ring is for the message.
const (
	shortestRing = time.Second
	longestRing  = 45 * time.Second
)

// settings is the `with` of a channel.
type settings struct {
	Server    string        `json:"server"`
	Transport string        `json:"transport"`
	CA        string        `json:"ca"`
	Domain    string        `json:"domain"`
	From      string        `json:"from"`
	User      string        `json:"user"`
	Password  string        `json:"password"`
	Register  bool          `json:"register"`
	Plus      string        `json:"plus"`
	Ring      string        `json:"ring"`
	Voice     string        `json:"voice"`
	Speed     int           `json:"speed"`
	WAV       string        `json:"wav"`
	Repeat    int           `json:"repeat"`
	Key       string        `json:"key"`
	Prompt    *string       `json:"prompt"`
	Gateway   *request.Spec `json:"gateway"`

	host string
	port int
	ring time.Duration
}

// address is where the SIP server listens.
func (s *settings) address() string { return net.JoinHostPort(s.host, strconv.Itoa(s.port)) }

// parse decodes and checks a `with` document. It touches neither network nor disk.
func parse(with json.RawMessage) (*settings, []sdk.Problem) {
	s := &settings{Transport: overUDP, Plus: "+", Ring: "30s", Voice: "en", Speed: 150, Repeat: 3, Key: "1"}
	if problems := sdk.DecodeWith(with, s); len(problems) > 0 {
		return nil, problems
	}
	if s.Gateway != nil {
		return s, s.checkGateway(with)
	}
	var problems []sdk.Problem
	report := func(path, format string, args ...any) {
		problems = append(problems, sdk.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	var ok bool
	if s.host, s.port, ok = endpoint(s.Server, s.Transport); s.Server == "" {
		report("/server", "want the SIP server, or a gateway")
	} else if !ok {
		report("/server", "want HOST or HOST:PORT, not %q", s.Server)
	}
	if !slices.Contains([]string{overUDP, overTCP, overTLS}, s.Transport) {
		report("/transport", "want udp, tcp or tls, not %q", s.Transport)
	}
	if s.CA != "" && s.Transport != overTLS {
		report("/ca", "want transport: tls with it")
	}
	s.Domain = cmp.Or(s.Domain, s.host)
	if !hostName.MatchString(s.Domain) && s.host != "" {
		report("/domain", "want a domain such as example.com, not %q", s.Domain)
	}
	if !userName.MatchString(s.From) {
		report("/from", "want the number or account that calls, not %q", s.From)
	}
	if s.User != "" && s.Password == "" {
		report("/password", "want the password of %s", s.User)
	}
	s.User = cmp.Or(s.User, s.From)
	if !prefix.MatchString(s.Plus) {
		report("/plus", "want digits, a + or nothing, not %q", s.Plus)
	}
	var err error
	if s.ring, err = time.ParseDuration(s.Ring); err != nil || s.ring < shortestRing || s.ring > longestRing {
		report("/ring", "want a time from %v to %v, not %q", shortestRing, longestRing, s.Ring)
	}
	if !voiceName.MatchString(s.Voice) {
		report("/voice", "want a voice of espeak-ng such as en-us, not %q", s.Voice)
	}
	if s.Speed < 80 || s.Speed > 450 {
		report("/speed", "want 80 to 450 words in a minute, not %d", s.Speed)
	}
	if s.Repeat < 1 || s.Repeat > 10 {
		report("/repeat", "want 1 to 10, not %d", s.Repeat)
	}
	if len(s.Key) != 1 || !strings.Contains(keys[:keysOfPhones], s.Key) {
		report("/key", "want a digit, * or #, not %q", s.Key)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return s, nil
}

// checkGateway checks the description of a gateway, beside which nothing else has a meaning.
func (s *settings) checkGateway(with json.RawMessage) []sdk.Problem {
	problems := s.Gateway.Check("/gateway")
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(with, &fields); err != nil {
		return []sdk.Problem{{Message: err.Error()}}
	}
	for name := range fields {
		if name != "gateway" {
			problems = append(problems, sdk.Problem{Path: "/" + name, Message: "a call by a gateway has no other settings: say it in the gateway's request"})
		}
	}
	slices.SortStableFunc(problems, func(a, b sdk.Problem) int { return strings.Compare(a.Path, b.Path) })
	return problems
}

var (
	hostName  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	userName  = regexp.MustCompile(`^[A-Za-z0-9+._-]+$`)
	voiceName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+_-]*$`)
	prefix    = regexp.MustCompile(`^\+?[0-9]*$`)
)

// endpoint splits the address of a server.
func endpoint(server, transport string) (host string, port int, ok bool) {
	host, port = server, 5060
	if transport == overTLS {
		port = 5061
	}
	if h, p, err := net.SplitHostPort(server); err == nil {
		host = h
		if port, err = strconv.Atoi(p); err != nil || port < 1 || port > 65535 {
			return "", 0, false
		}
	}
	return host, port, hostName.MatchString(host)
}

var (
	separators = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", ".", "")
	dialable   = regexp.MustCompile(`^\+?[0-9]{2,15}$`)
)

// dial makes what is dialled of a receiver's number; empty when it is none.
func (s *settings) dial(number string) string {
	number = separators.Replace(number)
	if !dialable.MatchString(number) {
		return ""
	}
	if local, international := strings.CutPrefix(number, "+"); international {
		return s.Plus + local
	}
	return number
}

// prompt is said after the text.
func (s *settings) prompt() string {
	if s.Prompt != nil {
		return *s.Prompt
	}
	name := s.Key
	switch s.Key {
	case "*":
		name = "star"
	case "#":
		name = "the pound key"
	}
	return "Press " + name + " to acknowledge."
}

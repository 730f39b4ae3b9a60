package sms

import (
	"encoding/json"
	"fmt"
	"time"

	"flowctl/plugins/internal/request"
	"flowctl/plugins/sdk"
)

const schema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "oneOf": [{"required": ["smpp"]}, {"required": ["gateway"]}],
  "properties": {
    "max_length": {"type": "integer", "minimum": 20, "maximum": 1000, "default": 198, "description": "how long a text is at most, in characters; 198 are three short messages in any script"},
    "smpp": {
      "type": "object",
      "additionalProperties": false,
      "required": ["host", "system_id"],
      "description": "an SMS centre that speaks SMPP 3.4",
      "properties": {
        "host": {"type": "string", "minLength": 1},
        "port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 2775},
        "tls": {"type": "boolean", "default": false},
        "ca": {"type": "string", "minLength": 1, "description": "file of certificates in PEM on the server's host that the SMS centre's must descend from; default: those of the system"},
        "system_id": {"type": "string", "minLength": 1, "maxLength": 15, "description": "the account"},
        "password": {"type": "string", "minLength": 1},
        "system_type": {"type": "string", "maxLength": 12},
        "source": {"type": "string", "minLength": 1, "maxLength": 20, "description": "who sends: a number such as +4930123456, a short code, or a name of at most 11 letters and digits"},
        "window": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 10, "description": "how many requests may be without an answer"},
        "keepalive": {"type": "string", "default": "30s", "description": "how often to enquire whether the SMS centre is there"},
        "receipts": {"type": "string", "description": "how long to wait for the news that the phone has the message, such as 30s; default: not at all"},
        "reference": {"enum": [8, 16], "default": 16, "description": "bits of the reference that holds a long message together"}
      }
    },
    "gateway": {
      "type": "object",
      "additionalProperties": false,
      "required": ["url"],
      "description": "an HTTP request for each message",
      "properties": {
    ` + request.Properties + `
      }
    }
  }
}`

// settings is the `with` of a channel.
type settings struct {
	MaxLength int           `json:"max_length"`
	SMPP      *smppSettings `json:"smpp"`
	Gateway   *request.Spec `json:"gateway"`
}

// smppSettings tell how to reach an SMS centre.
type smppSettings struct {
	Host       string `json:"host"`
	Port       int    `json:"port"`
	TLS        bool   `json:"tls"`
	CA         string `json:"ca"`
	SystemID   string `json:"system_id"`
	Password   string `json:"password"`
	SystemType string `json:"system_type"`
	Source     string `json:"source"`
	Window     int    `json:"window"`
	Keepalive  string `json:"keepalive"`
	Receipts   string `json:"receipts"`
	Reference  int    `json:"reference"`
}

func (s *smppSettings) keepalive() time.Duration { return duration(s.Keepalive) }

// duration is one that was checked.
func duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0
	}
	return d
}

// defaultLength is the length of three short messages in UCS-2.
const defaultLength = 198

// parse decodes and checks a `with` document. It touches neither network nor disk.
func parse(with json.RawMessage) (*settings, []sdk.Problem) {
	s := &settings{MaxLength: defaultLength}
	if problems := sdk.DecodeWith(with, s); len(problems) > 0 {
		return nil, problems
	}
	var problems []sdk.Problem
	report := func(path, format string, args ...any) {
		problems = append(problems, sdk.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if s.MaxLength < 20 || s.MaxLength > 1000 {
		report("/max_length", "want 20 to 1000 characters, not %d", s.MaxLength)
	}
	switch {
	case (s.SMPP == nil) == (s.Gateway == nil):
		report("", "want either smpp or gateway")
	case s.Gateway != nil:
		problems = append(problems, s.Gateway.Check("/gateway")...)
	default:
		s.SMPP.check(report)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return s, nil
}

// check sets the defaults, and reports what is wrong.
func (s *smppSettings) check(report func(path, format string, args ...any)) {
	if s.Port == 0 {
		s.Port = 2775
	}
	if s.Window == 0 {
		s.Window = 10
	}
	if s.Keepalive == "" {
		s.Keepalive = "30s"
	}
	if s.Reference == 0 {
		s.Reference = 16
	}
	if s.Host == "" {
		report("/smpp/host", "want the name or address of the SMS centre")
	}
	if s.Port < 1 || s.Port > 65535 {
		report("/smpp/port", "want a port from 1 to 65535, not %d", s.Port)
	}
	for _, f := range []struct {
		name, value string
		least, most int
	}{{"system_id", s.SystemID, 1, 15}, {"password", s.Password, 0, 64}, {"system_type", s.SystemType, 0, 12}, {"source", s.Source, 0, 20}} {
		if n := len(f.value); n < f.least || n > f.most {
			report("/smpp/"+f.name, "want %d to %d bytes", f.least, f.most)
		}
		for _, r := range f.value {
			if r < ' ' || r > '~' {
				report("/smpp/"+f.name, "want printable ASCII characters")
				break
			}
		}
	}
	if s.Window < 1 || s.Window > 1000 {
		report("/smpp/window", "want 1 to 1000 requests, not %d", s.Window)
	}
	if d := s.keepalive(); d <= 0 {
		report("/smpp/keepalive", "want a duration such as 30s, not %q", s.Keepalive)
	}
	if s.Receipts != "" && duration(s.Receipts) <= 0 {
		report("/smpp/receipts", "want a duration such as 30s, not %q", s.Receipts)
	}
	if s.Reference != 8 && s.Reference != 16 {
		report("/smpp/reference", "want 8 or 16 bits, not %d", s.Reference)
	}
}

package email

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/mail"
	"slices"

	gomail "github.com/wneessen/go-mail"

	"flowctl/plugins/sdk"
)

const schema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "required": ["host", "from"],
  "properties": {
    "host": {"type": "string", "minLength": 1, "description": "the mail server"},
    "port": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "default: 587; 465 when tls is implicit, 25 when it is none"},
    "from": {"type": "string", "minLength": 1, "description": "the sender: flows@example.com or Flows <flows@example.com>"},
    "reply_to": {"type": "string", "minLength": 1, "description": "where answers go; default: from"},
    "tls": {"enum": ["starttls", "implicit", "none"], "default": "starttls", "description": "starttls is demanded of the server; implicit is encrypted from the first byte on; none is for a relay on the same host or network"},
    "ca": {"type": "string", "minLength": 1, "description": "file of certificates in PEM on the server's host that the mail server's must descend from; default: those of the system"},
    "user": {"type": "string", "minLength": 1, "description": "default: the address of from, when there is a password"},
    "password": {"type": "string", "minLength": 1, "description": "no login without it"},
    "auth": {"enum": ["auto", "plain", "login", "cram-md5", "scram-sha-256"], "default": "auto", "description": "how to log in; auto takes the best that the server offers, and without tls none that shows the password"},
    "hello": {"type": "string", "minLength": 1, "description": "how to greet the mail server; default: the host's name"}
  }
}`

// The values of settings.TLS.
const (
	startTLS    = "starttls"
	implicitTLS = "implicit"
	noTLS       = "none"
)

// settings is the `with` of a channel.
type settings struct {
	Host     string `json:"host"`
	Port     int    `json:"port"`
	From     string `json:"from"`
	ReplyTo  string `json:"reply_to"`
	TLS      string `json:"tls"`
	CA       string `json:"ca"`
	User     string `json:"user"`
	Password string `json:"password"`
	Auth     string `json:"auth"`
	Hello    string `json:"hello"`

	from, replyTo *mail.Address
}

// mechanisms are the ways to log in by settings.Auth, the best first. Those that show the password want TLS.
func (s *settings) mechanisms() []gomail.SMTPAuthType {
	switch s.Auth {
	case "plain":
		return []gomail.SMTPAuthType{gomail.SMTPAuthPlain}
	case "login":
		return []gomail.SMTPAuthType{gomail.SMTPAuthLogin}
	case "cram-md5":
		return []gomail.SMTPAuthType{gomail.SMTPAuthCramMD5}
	case "scram-sha-256":
		return []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256}
	}
	hidden := []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthCramMD5}
	if s.TLS == noTLS {
		return hidden
	}
	return append(hidden, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin)
}

// parse decodes and checks a `with` document. It touches neither network nor disk.
func parse(with json.RawMessage) (*settings, []sdk.Problem) {
	s := &settings{TLS: startTLS, Auth: "auto"}
	if problems := sdk.DecodeWith(with, s); len(problems) > 0 {
		return nil, problems
	}
	var problems []sdk.Problem
	report := func(path, format string, args ...any) {
		problems = append(problems, sdk.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if s.Host == "" {
		report("/host", "want the name or address of the mail server")
	}
	if s.Port < 0 || s.Port > 65535 {
		report("/port", "want a port from 1 to 65535, not %d", s.Port)
	}
	if !slices.Contains([]string{startTLS, implicitTLS, noTLS}, s.TLS) {
		report("/tls", "want starttls, implicit or none, not %q", s.TLS)
	}
	s.Port = cmp.Or(s.Port, map[string]int{startTLS: 587, implicitTLS: 465, noTLS: 25}[s.TLS])
	var err error
	if s.from, err = mail.ParseAddress(s.From); err != nil {
		report("/from", "want an address such as Flows <flows@example.com>, not %q", s.From)
	}
	if s.ReplyTo != "" {
		if s.replyTo, err = mail.ParseAddress(s.ReplyTo); err != nil {
			report("/reply_to", "want an address such as Data team <data@example.com>, not %q", s.ReplyTo)
		}
	}
	switch {
	case !slices.Contains([]string{"auto", "plain", "login", "cram-md5", "scram-sha-256"}, s.Auth):
		report("/auth", "want auto, plain, login, cram-md5 or scram-sha-256, not %q", s.Auth)
	case s.TLS == noTLS && (s.Auth == "plain" || s.Auth == "login"):
		report("/auth", "%s shows the password to whoever listens: turn tls on, or use cram-md5", s.Auth)
	}
	if s.User != "" && s.Password == "" {
		report("/password", "want the password of %s", s.User)
	}
	if s.Password != "" && s.User == "" && s.from != nil {
		s.User = s.from.Address
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return s, nil
}

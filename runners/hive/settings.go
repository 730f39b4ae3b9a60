package hive

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"flowctl/plugins/sdk"
)

const schema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "required": ["host"],
  "properties": {
    "host": {"type": "string", "minLength": 1, "description": "the host of HiveServer2"},
    "port": {"type": ["integer", "string"], "minimum": 1, "maximum": 65535, "pattern": "^[0-9]+$", "default": 10000},
    "auth": {"type": "string", "enum": ["none", "nosasl", "plain", "ldap"], "default": "none", "description": "as the server's hive.server2.authentication; plain for CUSTOM and PAM"},
    "user": {"type": "string", "minLength": 1, "description": "default: the account of the agent"},
    "password": {"type": "string", "minLength": 1},
    "password_env": {"type": "string", "minLength": 1, "description": "the variable of the agent's environment that holds the password"},
    "transport": {"type": "string", "enum": ["binary", "http"], "default": "binary", "description": "as the server's hive.server2.transport.mode"},
    "http_path": {"type": "string", "minLength": 1, "default": "cliservice"},
    "tls": {
      "type": ["boolean", "object"], "default": false, "description": "true, or how to check the server's certificate",
      "additionalProperties": false,
      "properties": {
        "ca": {"type": "string", "minLength": 1, "description": "PEM file of the authorities to trust; default: the system's"},
        "cert": {"type": "string", "minLength": 1, "description": "PEM file of the client's certificate"},
        "key": {"type": "string", "minLength": 1, "description": "PEM file of its key"},
        "server_name": {"type": "string", "minLength": 1, "description": "the name in the server's certificate; default: host"}
      }
    },
    "database": {"type": "string", "minLength": 1, "default": "default"},
    "settings": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}, "description": "Hive's own, such as mapreduce.job.queuename"},
    "rows": {"type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]+$", "default": 100, "description": "how many rows of a result the log shows"},
    "poll": {"type": "string", "default": "1s", "description": "the longest pause between two questions for the state and the log"},
    "connect_timeout": {"type": "string", "default": "10s", "description": "for connecting and logging in"},
    "reconnect": {"type": "string", "default": "1m", "description": "how long a broken connection is made anew"}
  }
}`

// settings is the `with` of a task.
type settings struct {
	Host           string            `json:"host"`
	Port           scalar            `json:"port"`
	Auth           string            `json:"auth"`
	User           string            `json:"user"`
	Password       string            `json:"password"`
	PasswordEnv    string            `json:"password_env"`
	Transport      string            `json:"transport"`
	HTTPPath       string            `json:"http_path"`
	TLS            json.RawMessage   `json:"tls"`
	Database       string            `json:"database"`
	Settings       map[string]scalar `json:"settings"`
	Rows           scalar            `json:"rows"`
	Poll           string            `json:"poll"`
	ConnectTimeout string            `json:"connect_timeout"`
	Reconnect      string            `json:"reconnect"`

	tls tlsSettings // TLS, read
}

// tlsSettings says how the connection is encrypted, if it is.
type tlsSettings struct {
	on         bool
	CA         string `json:"ca"`
	Cert       string `json:"cert"`
	Key        string `json:"key"`
	ServerName string `json:"server_name"`
}

// parseTLS reads true, false or a mapping.
func parseTLS(b json.RawMessage) (tlsSettings, []sdk.Problem) {
	var t tlsSettings
	if len(b) == 0 || json.Unmarshal(b, &t.on) == nil {
		return t, nil
	}
	t.on = true
	problems := sdk.DecodeWith(b, &t)
	for i := range problems {
		problems[i].Path = "/tls" + problems[i].Path
	}
	return t, problems
}

// scalar is also read from text, which is what expressions give.
type scalar string

// UnmarshalJSON reads a text, or another scalar as it is written.
func (s *scalar) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case '"':
		return json.Unmarshal(b, (*string)(s))
	case '{', '[', 'n':
		return json.Unmarshal(b, new(float64))
	}
	*s = scalar(b)
	return nil
}

// parseSettings decodes and checks a `with` document. It touches neither network nor disk.
func parseSettings(with json.RawMessage) (settings, []sdk.Problem) {
	s := settings{
		Port: "10000", Auth: "none", Transport: "binary", HTTPPath: "cliservice", Rows: "100",
		Poll: "1s", ConnectTimeout: "10s", Reconnect: "1m",
	}
	if problems := sdk.DecodeWith(with, &s); len(problems) > 0 {
		return s, problems
	}
	var problems []sdk.Problem
	s.tls, problems = parseTLS(s.TLS)
	report := func(path, format string, args ...any) {
		problems = append(problems, sdk.Problem{Path: "/" + path, Message: fmt.Sprintf(format, args...)})
	}
	if s.Host == "" {
		report("host", "want the name or address of the host of HiveServer2")
	}
	if n, err := strconv.Atoi(string(s.Port)); err != nil || n < 1 || n > 65535 {
		report("port", "want a port from 1 to 65535, not %q", string(s.Port))
	}
	if n, err := strconv.Atoi(string(s.Rows)); err != nil || n < 0 {
		report("rows", "want a number of rows, 0 for none, not %q", string(s.Rows))
	}
	secret := s.Password != "" || s.PasswordEnv != ""
	switch s.Auth {
	case "plain", "ldap":
		if s.User == "" {
			report("user", "want the user to log in as")
		}
		if !secret {
			report("password", "want the user's password, or password_env")
		}
	case "none", "nosasl":
		if secret {
			report("auth", "want plain or ldap, or no password: with %s the server asks for none", s.Auth)
		}
	default:
		report("auth", "want none, nosasl, plain or ldap, not %q", s.Auth)
	}
	if s.Password != "" && s.PasswordEnv != "" {
		report("password_env", "want either password or password_env")
	}
	if strings.HasPrefix(s.PasswordEnv, "FLOWCTL_") {
		report("password_env", "want a variable whose name does not begin with FLOWCTL_: those never reach a plugin")
	}
	if s.Transport != "binary" && s.Transport != "http" {
		report("transport", "want binary or http, not %q", s.Transport)
	}
	if (s.tls.Cert == "") != (s.tls.Key == "") {
		report("tls", "want cert and key, or neither")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Settings)) {
		if name == "" || strings.ContainsAny(name, " \t\n=:;") {
			report("settings/"+pointer.Replace(name), "want the name of one of Hive's settings, such as mapreduce.job.queuename")
		}
	}
	for _, d := range []struct {
		name, value string
		least       time.Duration
	}{{"poll", s.Poll, 10 * time.Millisecond}, {"connect_timeout", s.ConnectTimeout, time.Second}, {"reconnect", s.Reconnect, time.Second}} {
		if v, err := time.ParseDuration(d.value); err != nil || v < d.least {
			report(d.name, "want a duration of at least %v, such as 30s or 5m, not %q", d.least, d.value)
		}
	}
	return s, problems
}

// pointer escapes a word of a JSON pointer.
var pointer = strings.NewReplacer("~", "~0", "/", "~1")

// span is the value of a duration that was checked.
func span(checked string) time.Duration {
	v, _ := time.ParseDuration(checked)
	return v
}

// rows is how many rows of a result are shown.
func (s settings) rows() int {
	n, _ := strconv.Atoi(string(s.Rows))
	return n
}

// credentials are who logs in, and the password. Servers that want none want something in its place.
func (s settings) credentials() (name, password string, err error) {
	name, password = s.User, s.Password
	if name == "" {
		own, err := user.Current()
		if err != nil {
			return "", "", fmt.Errorf("ask for the agent's account: set with.user: %w", err)
		}
		name = own.Username
	}
	if s.PasswordEnv != "" {
		if password = os.Getenv(s.PasswordEnv); password == "" {
			return "", "", fmt.Errorf("the agent's environment has no %s, which with.password_env names", s.PasswordEnv)
		}
	}
	if password == "" {
		password = "none"
	}
	return name, password, nil
}

package ssh

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os/user"
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
    "host": {"type": "string", "minLength": 1, "description": "the host's name or address"},
    "port": {"type": ["integer", "string"], "minimum": 1, "maximum": 65535, "pattern": "^[0-9]+$", "default": 22},
    "user": {"type": "string", "minLength": 1, "description": "the account on the host; default: that of the agent"},
    "shell": {"type": "string", "minLength": 1, "default": "/bin/sh", "description": "what reads the script there: a name on PATH or an absolute path"},
    "known_hosts": {"type": "string", "minLength": 1, "default": "~/.ssh/known_hosts", "description": "file of host keys on the agent's host; a host that is not in it is refused"},
    "identity": {"type": "string", "minLength": 1, "description": "file of the private key on the agent's host; default: ~/.ssh/id_ed25519 unless agent is true"},
    "passphrase": {"type": "string", "minLength": 1, "description": "of an encrypted identity"},
    "passphrase_env": {"type": "string", "minLength": 1, "description": "the variable of the agent's environment that holds the passphrase"},
    "certificate": {"type": "string", "minLength": 1, "description": "file of the OpenSSH user certificate for the key"},
    "agent": {"type": ["boolean", "string"], "enum": [true, false, "true", "false"], "default": false, "description": "offer the keys of the ssh-agent at SSH_AUTH_SOCK, too"},
    "jump": {"type": ["array", "string"], "items": {"type": "string", "minLength": 1}, "description": "hosts to go through, in order, as [user@]host[:port]; as text, with commas between them"},
    "connect_timeout": {"type": "string", "default": "10s", "description": "for all of connecting and logging in, hosts between included"},
    "keepalive": {"type": "string", "default": "15s", "description": "how often the connection is tried and the lease renewed"},
    "lease": {"type": "string", "default": "1m", "description": "how long the task goes on without a connection; at least twice keepalive"}
  }
}`

// settings is the `with` of a task.
type settings struct {
	Host           string   `json:"host"`
	Port           port     `json:"port"`
	User           string   `json:"user"`
	Shell          string   `json:"shell"`
	KnownHosts     string   `json:"known_hosts"`
	Identity       string   `json:"identity"`
	Passphrase     string   `json:"passphrase"`
	PassphraseEnv  string   `json:"passphrase_env"`
	Certificate    string   `json:"certificate"`
	Agent          flag     `json:"agent"`
	Jump           hops     `json:"jump"`
	ConnectTimeout duration `json:"connect_timeout"`
	Keepalive      duration `json:"keepalive"`
	Lease          duration `json:"lease"`
}

// parseSettings decodes and checks a `with` document. It touches neither network nor disk.
func parseSettings(with json.RawMessage) (settings, []sdk.Problem) {
	s := settings{
		Port: "22", Shell: "/bin/sh", KnownHosts: "~/.ssh/known_hosts", ConnectTimeout: "10s", Keepalive: "15s", Lease: "1m",
	}
	if problems := sdk.DecodeWith(with, &s); len(problems) > 0 {
		return s, problems
	}
	var problems []sdk.Problem
	report := func(path, format string, args ...any) {
		problems = append(problems, sdk.Problem{Path: "/" + path, Message: fmt.Sprintf(format, args...)})
	}
	if s.Host == "" {
		report("host", "want the name or address of the host")
	}
	if n, err := strconv.Atoi(string(s.Port)); err != nil || n < 1 || n > 65535 {
		report("port", "want a port from 1 to 65535, not %q", string(s.Port))
	}
	if s.Agent != "" && s.Agent != "true" && s.Agent != "false" {
		report("agent", "want true or false, not %q", string(s.Agent))
	}
	if s.Identity == "" && !s.Agent.on() {
		s.Identity = "~/.ssh/id_ed25519"
	}
	if s.Identity == "" && (s.Passphrase != "" || s.PassphraseEnv != "") {
		report("identity", "want the file of the private key that the passphrase is for")
	}
	if s.Passphrase != "" && s.PassphraseEnv != "" {
		report("passphrase_env", "want either passphrase or passphrase_env")
	}
	if strings.HasPrefix(s.PassphraseEnv, "FLOWCTL_") {
		report("passphrase_env", "want a variable whose name does not begin with FLOWCTL_: those never reach a plugin")
	}
	for i, hop := range s.Jump {
		if _, err := parseHop(hop); err != nil {
			report("jump/"+strconv.Itoa(i), "%v", err)
		}
	}
	for _, d := range []struct {
		name  string
		value duration
	}{{"connect_timeout", s.ConnectTimeout}, {"keepalive", s.Keepalive}, {"lease", s.Lease}} {
		if v, err := time.ParseDuration(string(d.value)); err != nil || v < time.Second {
			report(d.name, "want a duration of at least 1s, such as 30s or 5m, not %q", string(d.value))
		}
	}
	if len(problems) == 0 && s.Lease.value() < 2*s.Keepalive.value() {
		report("lease", "want at least twice keepalive, or one lost packet ends the task")
	}
	return s, problems
}

// port and flag are also read from text, which is what expressions give.
type port string

func (p *port) UnmarshalJSON(b []byte) error { return unquote(b, (*string)(p)) }

type flag string

func (f *flag) UnmarshalJSON(b []byte) error { return unquote(b, (*string)(f)) }

func (f flag) on() bool { return f == "true" }

// unquote reads a text, or any other scalar as it is written.
func unquote(b []byte, into *string) error {
	if bytes.HasPrefix(b, []byte{'"'}) {
		return json.Unmarshal(b, into)
	}
	*into = string(b)
	return nil
}

// duration is one that was checked.
type duration string

func (d duration) value() time.Duration {
	v, _ := time.ParseDuration(string(d))
	return v
}

// hops is a list, or one text with commas as ssh's -J takes it.
type hops []string

func (h *hops) UnmarshalJSON(b []byte) error {
	if !bytes.HasPrefix(b, []byte{'"'}) {
		return json.Unmarshal(b, (*[]string)(h))
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	*h = nil
	if text != "" {
		*h = strings.Split(text, ",")
	}
	return nil
}

// hop is a host on the way, or the last one.
type hop struct{ user, host, port string }

func (h hop) address() string { return net.JoinHostPort(h.host, h.port) }

// parseHop reads [user@]host[:port].
func parseHop(text string) (hop, error) {
	h := hop{port: "22"}
	rest := strings.TrimSpace(text)
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		h.user, rest = rest[:i], rest[i+1:]
		if h.user == "" {
			return hop{}, fmt.Errorf("want [user@]host[:port], not %q", text)
		}
	}
	switch host, p, err := net.SplitHostPort(rest); {
	case err == nil:
		h.host, h.port = host, p
	case strings.HasPrefix(rest, "[") && strings.HasSuffix(rest, "]"):
		h.host = rest[1 : len(rest)-1]
	default:
		h.host = rest
	}
	n, err := strconv.Atoi(h.port)
	if h.host == "" || strings.ContainsAny(h.host, " \t\n,@[]") || err != nil || n < 1 || n > 65535 {
		return hop{}, fmt.Errorf("want [user@]host[:port], not %q", text)
	}
	return h, nil
}

// route is the way to the host: the hosts between, then the host.
func (s settings) route() ([]hop, error) {
	route := make([]hop, 0, len(s.Jump)+1)
	for _, text := range s.Jump {
		h, err := parseHop(text)
		if err != nil {
			return nil, err
		}
		route = append(route, h)
	}
	route = append(route, hop{s.User, s.Host, string(s.Port)})
	for i := range route {
		if route[i].user != "" {
			continue
		}
		own, err := user.Current()
		if err != nil {
			return nil, fmt.Errorf("ask for the agent's account: set with.user: %w", err)
		}
		route[i].user = own.Username
	}
	return route, nil
}

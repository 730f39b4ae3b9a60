package dsl

import (
	"encoding/json"
	"net"
	"net/url"
	"strconv"

	"flowctl/dsl/flow"
)

// address returns where the peer of a connection listens, as far as the settings say it in the words that plugins have in common: `host` with `port`,
// whose default the schema knows, or else `url`. It is empty where they do not, where only an expression does, and behind a `jump`.
func address(s *schema, with map[string]any) string {
	if with["jump"] != nil {
		return ""
	}
	if host := literal(with["host"]); host != "" {
		port := with["port"]
		if port == nil {
			port = s.usual("port")
		}
		return endpoint(host, literal(port))
	}
	u, err := url.Parse(literal(with["url"]))
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return endpoint(u.Hostname(), port)
}

func endpoint(host, port string) string {
	if host == "" || port == "" {
		return ""
	}
	return net.JoinHostPort(host, port)
}

// literal returns a text or a whole number as text; empty = it is none, or an expression says it.
func literal(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case json.Number:
		return v.String()
	case *flow.Template:
		text, _ := v.Const()
		return text
	}
	return ""
}

// usual returns the default of a setting; nil = it has none.
func (s *schema) usual(setting string) any {
	if s == nil || s.compiled == nil {
		return nil
	}
	if p := s.compiled.Properties[setting]; p != nil && p.Default != nil {
		return *p.Default
	}
	return nil
}

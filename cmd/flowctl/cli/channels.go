package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flowctl/engine"
	"flowctl/engine/alert"
	"flowctl/plugins/host"
	"flowctl/plugins/sdk"
)

// closeTime is how long channel plugins have to end with the server.
const closeTime = 5 * time.Second

// tailBytes is how much of the end of a log an alert holds.
const tailBytes = 4 << 10

// openChannels prepares the channel plugins of the server, which run on its host. None starts before it is needed.
func (s *server) openChannels() (*alert.Dispatcher, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the executable of flowctl: %w", err)
	}
	s.channels, err = host.New(host.Options{Dir: filepath.Join(s.data, "channels"), Self: self, PluginDir: s.pluginDir(), Log: s.log})
	if err != nil {
		return nil, err
	}
	return &alert.Dispatcher{
		Channel: func(ctx context.Context, plugin string, pins []string) (sdk.Channel, error) {
			return s.channels.Channel(ctx, plugin, pins)
		},
		Secret: s.secret, Tail: s.logTail, Token: s.service.Token, URL: first(s.public, s.url()), Log: s.log,
	}, nil
}

// secret looks a secret up as agents do: in the environment, then in the data folder.
func (s *server) secret(name string) (string, error) {
	variable := "FLOWCTL_SECRET_" + strings.ToUpper(strings.Map(func(r rune) rune {
		if r == '-' || r == '.' {
			return '_'
		}
		return r
	}, name))
	if v, ok := os.LookupEnv(variable); ok {
		return v, nil
	}
	path := filepath.Join(s.data, "secrets", name)
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("the secret %s is neither in %s nor in %s", name, variable, path)
	}
	return strings.TrimRight(string(b), "\n"), nil
}

// logTail returns the last lines of an attempt's log.
func (s *server) logTail(id engine.AttemptID) string {
	size, err := s.output.Size(id)
	if err != nil || size == 0 {
		return ""
	}
	var b strings.Builder
	from := max(0, size-tailBytes)
	if _, err := s.output.Copy(id, from, &b); err != nil {
		return ""
	}
	text := strings.ToValidUTF8(b.String(), "")
	if _, rest, cut := strings.Cut(text, "\n"); from > 0 && cut { // from a whole line on
		text = rest
	}
	return text
}

package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flowctl/plugins/sdk"
)

// TestVersions meets plugins that choose, from the versions that the host says it speaks, one that it does not.
func TestVersions(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	h.options.PluginDir = t.TempDir()
	for name, c := range map[string]struct{ line, want string }{
		"newer": {"1|$((PLUGIN_PROTOCOL_VERSIONS + 1))|unix|/nowhere|grpc", "it speaks protocol version 2, this flowctl speaks 1"},
		"core":  {"2|$PLUGIN_PROTOCOL_VERSIONS|unix|/nowhere|grpc", `core protocol "2", this flowctl 1`},
		"odd":   {"1|one|unix|/nowhere|grpc", `protocol version "one" is not a number`},
		"old":   {"1|$PLUGIN_PROTOCOL_VERSIONS|unix|/nowhere|netrpc", "no go-plugin gRPC handshake"},
	} {
		text := fmt.Sprintf("#!/bin/sh\necho \"%s\"\nexec sleep 5\n", c.line)
		if err := os.WriteFile(filepath.Join(h.options.PluginDir, "flowctl-runner-"+name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Inspect(t.Context(), sdk.KindRunner, name); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

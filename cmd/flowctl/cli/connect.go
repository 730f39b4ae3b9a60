package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"flowctl/engine"
	"flowctl/engine/api"
)

const (
	defaultServer = "http://127.0.0.1:7400"
	defaultData   = ".flowctl"
)

// globals are what all verbs share: streams, the flags of the root, and how the screen is.
type globals struct {
	streams
	server, token, data, output string

	env   func(string) string
	now   func() time.Time
	zone  *time.Location // in which times are shown
	width int            // of the terminal that results go to; 0 = they go elsewhere
	color bool
}

func newGlobals(s streams) *globals {
	g := &globals{streams: s, env: os.Getenv, now: time.Now, zone: time.Local}
	if f, ok := terminal(s.out); ok {
		g.width, _, _ = term.GetSize(int(f.Fd())) // 0 when it does not tell
		g.color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return g
}

// terminal tells whether a stream is one.
func terminal(stream any) (*os.File, bool) {
	f, ok := stream.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

func (g *globals) flags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&g.server, "server", "", "address of the server (FLOWCTL_SERVER; default "+defaultServer+")")
	f.StringVar(&g.token, "token", "", "token to show it (FLOWCTL_TOKEN, FLOWCTL_TOKEN_FILE)")
	f.StringVar(&g.data, "data", "", "data folder of a server on this host, for its address and token (FLOWCTL_DATA)")
	f.StringVarP(&g.output, "output", "o", "table", "form of the results: table, json or yaml")
}

// client returns the server that the flags and the environment name.
func (g *globals) client() (engine.Service, error) {
	if err := g.checkOutput(); err != nil {
		return nil, err
	}
	server := first(g.server, g.env("FLOWCTL_SERVER"))
	data := first(g.data, g.env("FLOWCTL_DATA"))
	if data == "" && server == "" {
		data = defaultData // what `flowctl server` writes to when nobody says otherwise
	}
	if server == "" && data != "" {
		address, err := readLine(filepath.Join(data, "server-url"))
		if err != nil {
			return nil, err
		}
		server = address
	}
	token, err := g.findToken(data)
	if err != nil {
		return nil, err
	}
	return api.NewClient(api.ClientOptions{
		BaseURL: first(server, defaultServer),
		Token:   token,
		Interrupted: func(err error) {
			fmt.Fprintf(g.err, "flowctl: lost the server (%v); trying again until it answers\n", err)
		},
	})
}

func (g *globals) findToken(data string) (string, error) {
	if token := first(g.token, g.env("FLOWCTL_TOKEN")); token != "" {
		return token, nil
	}
	if file := g.env("FLOWCTL_TOKEN_FILE"); file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", usagef("FLOWCTL_TOKEN_FILE: %w", err)
		}
		return strings.TrimSpace(string(b)), nil
	}
	if data == "" {
		return "", nil
	}
	return readLine(filepath.Join(data, "admin-token"))
}

// readLine returns a file's content without the blanks around it, or nothing when there is no such file.
func readLine(file string) (string, error) {
	b, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case errors.Is(err, fs.ErrPermission):
		return "", &exitError{exitUnauthorized, fmt.Errorf("%w: run as the user who runs the server, or give --token", err)}
	case err != nil:
		return "", usage(err)
	}
	return strings.TrimSpace(string(b)), nil
}

// first returns the first of the texts that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

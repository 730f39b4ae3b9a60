package keeper

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	plugin "github.com/hashicorp/go-plugin"
	"golang.org/x/sys/unix"
)

// ReattachFile is the name, in a plugin process's folder, of its address card.
const ReattachFile = "reattach.json"

// What a keeper says on its stdout, unless it is an error's text.
const (
	Ready = "ready"
	Died  = "the plugin ended before its handshake"
)

// Reattach is how a host connects to a running plugin process.
type Reattach struct {
	Network  string `json:"network"`
	Address  string `json:"address"`
	Protocol int    `json:"protocol"` // version
	PID      int    `json:"pid"`
	Keeper   int    `json:"keeper"`
	Born     int64  `json:"born"` // of the plugin process, since boot
	Boot     string `json:"boot"`
	Binary   string `json:"binary"` // what the host called the binary when it launched it
	Sockets  string `json:"sockets"`
}

// maxCard is more than the longest paths need.
const maxCard = 64 << 10

// ReadReattach returns the card in a plugin process's folder, which the plugin can write to as well.
func ReadReattach(dir string) (Reattach, error) {
	var r Reattach
	f, err := os.OpenFile(filepath.Join(dir, ReattachFile), os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0) // what is no file must not block
	if err != nil {
		return r, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxCard))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("%s: %w", filepath.Join(dir, ReattachFile), err)
	}
	return r, nil
}

func (r Reattach) write(dir string) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, ReattachFile)
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// handshake reads go-plugin's line: CORE|PROTOCOL|NETWORK|ADDRESS|grpc|… It is no longer than the reader's buffer.
func handshake(out *bufio.Reader) (Reattach, error) {
	read, err := out.ReadSlice('\n')
	line := string(read)
	switch {
	case errors.Is(err, io.EOF):
		return Reattach{}, errors.New(Died)
	case errors.Is(err, bufio.ErrBufferFull):
		return Reattach{}, fmt.Errorf("the plugin's first line is no go-plugin gRPC handshake: %.200q…", line)
	case err != nil:
		return Reattach{}, fmt.Errorf("read the plugin's handshake: %w", err)
	}
	parts := strings.Split(strings.TrimSpace(line), "|")
	if len(parts) < 5 || parts[4] != "grpc" {
		return Reattach{}, fmt.Errorf("the plugin's first line is no go-plugin gRPC handshake: %.200q", line)
	}
	if core := strconv.Itoa(plugin.CoreProtocolVersion); parts[0] != core {
		return Reattach{}, fmt.Errorf("the plugin speaks go-plugin's core protocol %.20q, this flowctl %s", parts[0], core)
	}
	version, err := strconv.Atoi(parts[1])
	if err != nil {
		return Reattach{}, fmt.Errorf("the plugin's protocol version %.20q is not a number", parts[1])
	}
	if parts[2] != "unix" {
		return Reattach{}, fmt.Errorf("the plugin listens on %.20q, want a unix socket in the folder that %s names", parts[2], plugin.EnvUnixSocketDir)
	}
	return Reattach{Protocol: version, Network: parts[2], Address: parts[3]}, nil
}

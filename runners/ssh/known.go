package ssh

import (
	"fmt"
	"net"

	"flowctl/plugins/sdk"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
)

// known is a known_hosts file.
type known struct {
	path string
	db   *knownhosts.HostKeyDB
}

func readKnown(path string) (*known, error) {
	path, err := sdk.ExpandHome(path)
	if err != nil {
		return nil, err
	}
	db, err := knownhosts.NewDB(path)
	if err != nil {
		return nil, fmt.Errorf("known_hosts: %w", err)
	}
	return &known{path, db}, nil
}

// config accepts the keys that the file has for a host. It asks the host for one of these kinds: left to itself, it may show another key of its own.
func (k *known) config(h hop) *ssh.ClientConfig {
	check := k.db.HostKeyCallback()
	return &ssh.ClientConfig{
		HostKeyAlgorithms: k.db.HostKeyAlgorithms(h.address()),
		HostKeyCallback: func(host string, remote net.Addr, key ssh.PublicKey) error {
			err := check(host, remote, key)
			at := knownhosts.Normalize(h.address())
			switch {
			case knownhosts.IsHostKeyChanged(err):
				return fmt.Errorf("the host shows the %s key %s, but %s has another for %s: somebody may be in between. "+
					"If the host did get a new key, remove the old one with `ssh-keygen -R '%s' -f '%s'` and add the new one",
					key.Type(), ssh.FingerprintSHA256(key), k.path, at, at, k.path)
			case knownhosts.IsHostUnknown(err):
				return fmt.Errorf("%s is not in %s. The host shows the %s key %s: compare that with the host's own, then add the output of `ssh-keyscan -p %s %s` to the file",
					at, k.path, key.Type(), ssh.FingerprintSHA256(key), h.port, h.host)
			case err != nil:
				return fmt.Errorf("%s, key %s: %w", k.path, ssh.FingerprintSHA256(key), err)
			}
			return nil
		},
	}
}

//go:build linux

package ssh

import (
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"flowctl/plugins/sdk"
)

// refused runs an attempt that must not start, and wants all words in its message.
func (s *site) refused(with []byte, words ...string) {
	s.t.Helper()
	r, log := s.run(sdk.Spec{Text: "true", With: with})
	if r.Code != sdk.CodeStart {
		s.t.Errorf("%s: %+v", with, r)
	}
	for _, word := range words {
		if !strings.Contains(r.Message, word) || !strings.Contains(log, word) {
			s.t.Errorf("neither message nor log may lack %q: %q, %q", word, r.Message, log)
		}
	}
}

func (s *site) succeeds(with []byte) {
	s.t.Helper()
	if r, log := s.run(sdk.Spec{Text: "true", With: with}); r.State != sdk.Succeeded {
		s.t.Errorf("%s: %+v, log %q", with, r, log)
	}
}

func TestHostKeys(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	other := sshd(t)
	fingerprint := strings.Fields(s.Command("ssh-keygen", "-lf", s.Path("host.pub")))[1]

	s.Write("empty", "")
	here.refused(s.With(map[string]any{"known_hosts": s.Path("empty")}), s.Path("empty"), "is not in", fingerprint, "ssh-keyscan -p "+s.Port+" 127.0.0.1")
	here.refused(s.With(map[string]any{"known_hosts": s.Path("missing")}), s.Path("missing"))

	s.Write("changed", strings.Replace(s.Read("known_hosts"), strings.Fields(s.Read("host.pub"))[1], strings.Fields(other.Read("host.pub"))[1], 1))
	here.refused(s.With(map[string]any{"known_hosts": s.Path("changed")}), s.Path("changed"), fingerprint, "ssh-keygen -R '[127.0.0.1]:"+s.Port+"'")

	line := strings.TrimSpace(s.Read("known_hosts"))
	s.Write("revoked", line+"\n@revoked "+line+"\n")
	here.refused(s.With(map[string]any{"known_hosts": s.Path("revoked")}), s.Path("revoked"))

	s.Write("hashed", s.Read("known_hosts"))
	s.Command("ssh-keygen", "-q", "-H", "-f", s.Path("hashed"))
	here.succeeds(s.With(map[string]any{"known_hosts": s.Path("hashed")}))
}

// A host with several keys shows the one that is known.
func TestHostWithSeveralKeys(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	s.Command("ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", s.Path("rsa"))
	s.Write("sshd_config", "HostKey "+s.Path("rsa")+"\n"+s.Read("sshd_config"))
	here.succeeds(s.With(nil))
	key := strings.Fields(s.Read("rsa.pub"))
	s.Write("known_hosts", "[127.0.0.1]:"+s.Port+" "+key[0]+" "+key[1]+"\n")
	here.succeeds(s.With(nil))
}

func TestHostCertificate(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	s.Keygen("ca", "")
	s.Command("ssh-keygen", "-q", "-s", s.Path("ca"), "-I", "host", "-h", "-n", "127.0.0.1", s.Path("host.pub"))
	s.Write("sshd_config", "HostCertificate "+s.Path("host-cert.pub")+"\n"+s.Read("sshd_config"))
	s.Write("known_hosts", "@cert-authority [127.0.0.1]:"+s.Port+" "+s.Read("ca.pub"))
	here.succeeds(s.With(nil))
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	s.Keygen("stranger", "")
	here.refused(s.With(map[string]any{"identity": s.Path("stranger")}), s.User+"@127.0.0.1:"+s.Port, "authorized_keys")
	here.refused(s.With(map[string]any{"identity": s.Path("missing")}), s.Path("missing"))
	here.refused(s.With(map[string]any{"identity": s.Path("user.pub")}), s.Path("user.pub"))
	here.refused(s.With(map[string]any{"user": "nobody-of-that-name"}), "nobody-of-that-name@127.0.0.1")

	s.Keygen("locked", "open sesame")
	s.Write("authorized_keys", s.Read("user.pub")+s.Read("locked.pub"))
	here.succeeds(s.With(map[string]any{"identity": s.Path("locked"), "passphrase": "open sesame"}))
	here.refused(s.With(map[string]any{"identity": s.Path("locked")}), s.Path("locked"), "is encrypted", "passphrase_env")
	here.refused(s.With(map[string]any{"identity": s.Path("locked"), "passphrase": "wrong"}), s.Path("locked"))
	here.refused(s.With(map[string]any{"identity": s.Path("locked"), "passphrase_env": "NO_SUCH_VARIABLE"}), "NO_SUCH_VARIABLE", "not set")
}

func TestPassphraseFromTheEnvironment(t *testing.T) {
	s, here := sshd(t), newSite(t)
	s.Keygen("locked", "open sesame")
	s.Copy("locked.pub", "authorized_keys")
	t.Setenv("KEY_PASSPHRASE", "open sesame")
	here.succeeds(s.With(map[string]any{"identity": s.Path("locked"), "passphrase_env": "KEY_PASSPHRASE"}))
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	s.Keygen("ca", "")
	s.Write("authorized_keys", "cert-authority "+s.Read("ca.pub"))
	s.Keygen("other", "")
	s.Command("ssh-keygen", "-q", "-s", s.Path("ca"), "-I", "me", "-n", s.User, s.Path("user.pub"))
	s.Command("ssh-keygen", "-q", "-s", s.Path("ca"), "-I", "late", "-n", s.User, "-V", "20200101:20200102", s.Path("other.pub"))
	here.succeeds(s.With(map[string]any{"certificate": s.Path("user-cert.pub")}))
	here.refused(s.With(nil), "authorized_keys")
	here.refused(s.With(map[string]any{"identity": s.Path("other"), "certificate": s.Path("other-cert.pub")}), "authorized_keys")
	here.refused(s.With(map[string]any{"certificate": s.Path("other-cert.pub")}), s.Path("other-cert.pub"), "is for a key")
	here.refused(s.With(map[string]any{"certificate": s.Path("user.pub")}), s.Path("user.pub"), "plain key")
}

func TestAgent(t *testing.T) {
	s, here := sshd(t), newSite(t)
	key, err := ssh.ParseRawPrivateKey([]byte(s.Read("user")))
	if err != nil {
		t.Fatal(err)
	}
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", s.Path("agent"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(keys, conn) }()
		}
	}()
	with := s.With(map[string]any{"identity": nil, "agent": true})
	t.Setenv("SSH_AUTH_SOCK", "")
	here.refused(with, "SSH_AUTH_SOCK")
	t.Setenv("SSH_AUTH_SOCK", s.Path("nobody"))
	here.refused(with, s.Path("nobody"))
	t.Setenv("SSH_AUTH_SOCK", s.Path("agent"))
	here.succeeds(with)

	s.Keygen("ca", "")
	s.Write("authorized_keys", "cert-authority "+s.Read("ca.pub"))
	s.Command("ssh-keygen", "-q", "-s", s.Path("ca"), "-I", "me", "-n", s.User, s.Path("user.pub"))
	here.succeeds(s.With(map[string]any{"identity": nil, "agent": true, "certificate": s.Path("user-cert.pub")}))
}

func TestJump(t *testing.T) {
	t.Parallel()
	first, second, last, here := sshd(t), sshd(t), sshd(t), newSite(t)
	for _, s := range []*server{first, second} {
		s.Write("authorized_keys", last.Read("user.pub"))
	}
	known := first.Read("known_hosts") + last.Read("known_hosts")
	last.Write("known_hosts", known+second.Read("known_hosts"))
	way := []string{last.User + "@127.0.0.1:" + first.Port, "127.0.0.1:" + second.Port}
	r, log := here.run(sdk.Spec{With: last.With(map[string]any{"jump": way}), Text: "echo $SSH_CONNECTION; exit 4"})
	if r.ExitCode != 4 || !strings.HasSuffix(log, " "+last.Port+"\n") {
		t.Errorf("%+v, log %q", r, log)
	}
	here.succeeds(last.With(map[string]any{"jump": strings.Join(way, ",")}))
	first.Write("authorized_keys", "")
	here.refused(last.With(map[string]any{"jump": way}), "log in to "+last.User+"@127.0.0.1:"+first.Port)
	first.Write("authorized_keys", last.Read("user.pub"))
	last.Write("known_hosts", known)
	here.refused(last.With(map[string]any{"jump": way}), "[127.0.0.1]:"+second.Port+" is not in")
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	l, err := net.Listen("tcp", "127.0.0.1:0") // and it never says a word
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it is only there to be silent
	_, port, _ := net.SplitHostPort(l.Addr().String())
	here.refused(s.With(map[string]any{"port": port, "connect_timeout": "1s"}), "connect_timeout (1s)", "127.0.0.1:"+port)
	here.refused(s.With(map[string]any{"host": "no-such-host.invalid"}), "no-such-host.invalid")
	if _, err := os.Stat(s.Cache); err == nil {
		t.Error("something was written on the host")
	}
}

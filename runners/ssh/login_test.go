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
	fingerprint := strings.Fields(s.command("ssh-keygen", "-lf", s.path("host.pub")))[1]

	s.write("empty", "")
	here.refused(s.with(map[string]any{"known_hosts": s.path("empty")}), s.path("empty"), "is not in", fingerprint, "ssh-keyscan -p "+s.port+" 127.0.0.1")
	here.refused(s.with(map[string]any{"known_hosts": s.path("missing")}), s.path("missing"))

	s.write("changed", strings.Replace(s.read("known_hosts"), strings.Fields(s.read("host.pub"))[1], strings.Fields(other.read("host.pub"))[1], 1))
	here.refused(s.with(map[string]any{"known_hosts": s.path("changed")}), s.path("changed"), fingerprint, "ssh-keygen -R '[127.0.0.1]:"+s.port+"'")

	line := strings.TrimSpace(s.read("known_hosts"))
	s.write("revoked", line+"\n@revoked "+line+"\n")
	here.refused(s.with(map[string]any{"known_hosts": s.path("revoked")}), s.path("revoked"))

	s.write("hashed", s.read("known_hosts"))
	s.command("ssh-keygen", "-q", "-H", "-f", s.path("hashed"))
	here.succeeds(s.with(map[string]any{"known_hosts": s.path("hashed")}))
}

// A host with several keys shows the one that is known.
func TestHostWithSeveralKeys(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	s.command("ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", s.path("rsa"))
	s.write("sshd_config", "HostKey "+s.path("rsa")+"\n"+s.read("sshd_config"))
	here.succeeds(s.with(nil))
	key := strings.Fields(s.read("rsa.pub"))
	s.write("known_hosts", "[127.0.0.1]:"+s.port+" "+key[0]+" "+key[1]+"\n")
	here.succeeds(s.with(nil))
}

func TestHostCertificate(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	s.keygen("ca", "")
	s.command("ssh-keygen", "-q", "-s", s.path("ca"), "-I", "host", "-h", "-n", "127.0.0.1", s.path("host.pub"))
	s.write("sshd_config", "HostCertificate "+s.path("host-cert.pub")+"\n"+s.read("sshd_config"))
	s.write("known_hosts", "@cert-authority [127.0.0.1]:"+s.port+" "+s.read("ca.pub"))
	here.succeeds(s.with(nil))
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	s.keygen("stranger", "")
	here.refused(s.with(map[string]any{"identity": s.path("stranger")}), s.own+"@127.0.0.1:"+s.port, "authorized_keys")
	here.refused(s.with(map[string]any{"identity": s.path("missing")}), s.path("missing"))
	here.refused(s.with(map[string]any{"identity": s.path("user.pub")}), s.path("user.pub"))
	here.refused(s.with(map[string]any{"user": "nobody-of-that-name"}), "nobody-of-that-name@127.0.0.1")

	s.keygen("locked", "open sesame")
	s.write("authorized_keys", s.read("user.pub")+s.read("locked.pub"))
	here.succeeds(s.with(map[string]any{"identity": s.path("locked"), "passphrase": "open sesame"}))
	here.refused(s.with(map[string]any{"identity": s.path("locked")}), s.path("locked"), "is encrypted", "passphrase_env")
	here.refused(s.with(map[string]any{"identity": s.path("locked"), "passphrase": "wrong"}), s.path("locked"))
	here.refused(s.with(map[string]any{"identity": s.path("locked"), "passphrase_env": "NO_SUCH_VARIABLE"}), "NO_SUCH_VARIABLE", "not set")
}

func TestPassphraseFromTheEnvironment(t *testing.T) {
	s, here := sshd(t), newSite(t)
	s.keygen("locked", "open sesame")
	s.copy("locked.pub", "authorized_keys")
	t.Setenv("KEY_PASSPHRASE", "open sesame")
	here.succeeds(s.with(map[string]any{"identity": s.path("locked"), "passphrase_env": "KEY_PASSPHRASE"}))
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	s.keygen("ca", "")
	s.write("authorized_keys", "cert-authority "+s.read("ca.pub"))
	s.keygen("other", "")
	s.command("ssh-keygen", "-q", "-s", s.path("ca"), "-I", "me", "-n", s.own, s.path("user.pub"))
	s.command("ssh-keygen", "-q", "-s", s.path("ca"), "-I", "late", "-n", s.own, "-V", "20200101:20200102", s.path("other.pub"))
	here.succeeds(s.with(map[string]any{"certificate": s.path("user-cert.pub")}))
	here.refused(s.with(nil), "authorized_keys")
	here.refused(s.with(map[string]any{"identity": s.path("other"), "certificate": s.path("other-cert.pub")}), "authorized_keys")
	here.refused(s.with(map[string]any{"certificate": s.path("other-cert.pub")}), s.path("other-cert.pub"), "is for a key")
	here.refused(s.with(map[string]any{"certificate": s.path("user.pub")}), s.path("user.pub"), "plain key")
}

func TestAgent(t *testing.T) {
	s, here := sshd(t), newSite(t)
	key, err := ssh.ParseRawPrivateKey([]byte(s.read("user")))
	if err != nil {
		t.Fatal(err)
	}
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", s.path("agent"))
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
	with := s.with(map[string]any{"identity": nil, "agent": true})
	t.Setenv("SSH_AUTH_SOCK", "")
	here.refused(with, "SSH_AUTH_SOCK")
	t.Setenv("SSH_AUTH_SOCK", s.path("nobody"))
	here.refused(with, s.path("nobody"))
	t.Setenv("SSH_AUTH_SOCK", s.path("agent"))
	here.succeeds(with)

	s.keygen("ca", "")
	s.write("authorized_keys", "cert-authority "+s.read("ca.pub"))
	s.command("ssh-keygen", "-q", "-s", s.path("ca"), "-I", "me", "-n", s.own, s.path("user.pub"))
	here.succeeds(s.with(map[string]any{"identity": nil, "agent": true, "certificate": s.path("user-cert.pub")}))
}

func TestJump(t *testing.T) {
	t.Parallel()
	first, second, last, here := sshd(t), sshd(t), sshd(t), newSite(t)
	for _, s := range []*server{first, second} {
		s.write("authorized_keys", last.read("user.pub"))
	}
	known := first.read("known_hosts") + last.read("known_hosts")
	last.write("known_hosts", known+second.read("known_hosts"))
	way := []string{last.own + "@127.0.0.1:" + first.port, "127.0.0.1:" + second.port}
	r, log := here.run(sdk.Spec{With: last.with(map[string]any{"jump": way}), Text: "echo $SSH_CONNECTION; exit 4"})
	if r.ExitCode != 4 || !strings.HasSuffix(log, " "+last.port+"\n") {
		t.Errorf("%+v, log %q", r, log)
	}
	here.succeeds(last.with(map[string]any{"jump": strings.Join(way, ",")}))
	first.write("authorized_keys", "")
	here.refused(last.with(map[string]any{"jump": way}), "log in to "+last.own+"@127.0.0.1:"+first.port)
	first.write("authorized_keys", last.read("user.pub"))
	last.write("known_hosts", known)
	here.refused(last.with(map[string]any{"jump": way}), "[127.0.0.1]:"+second.port+" is not in")
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
	here.refused(s.with(map[string]any{"port": port, "connect_timeout": "1s"}), "connect_timeout (1s)", "127.0.0.1:"+port)
	here.refused(s.with(map[string]any{"host": "no-such-host.invalid"}), "no-such-host.invalid")
	if _, err := os.Stat(s.cache); err == nil {
		t.Error("something was written on the host")
	}
}

package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flowctl/dsl/flow"
	"flowctl/engine/wire"
)

func TestSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("hive", "from the file\n")
	write("smtp", "unused")
	write("key", "-----BEGIN\nfirst line\r\nx\n-----END\n")
	s := newSecrets(dir, []string{"PATH=/bin", "FLOWCTL_SECRET_SMTP=from=the variable", "FLOWCTL_SECRET_HIVE_PROD_EU=eu-secret", "FLOWCTL_SECRET_PIN=123"})
	for name, want := range map[string]string{"hive": "from the file", "smtp": "from=the variable", "hive-prod.eu": "eu-secret", "key": "-----BEGIN\nfirst line\r\nx\n-----END"} {
		if got, err := s.lookup(name); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"absent", "../secrets", ".."} {
		if _, err := s.lookup(name); err == nil {
			t.Errorf("%s has a value", name)
		}
	}
	if _, err := s.lookup("absent"); err == nil || !strings.Contains(err.Error(), "set FLOWCTL_SECRET_ABSENT in its environment, or write "+dir+"/absent") {
		t.Errorf("got %v", err)
	}

	write("hive", "another one") // what was known before is masked further
	write("late", "came later")
	const text = "from the file, another one, came later, 123, x\n  first line\neu-secretfrom=the variable"
	if got, want := s.text(text), "*************, ***********, **********, 123, x\n  **********\n**************************"; got != want {
		t.Errorf("masked %q, want %q", got, want)
	}
}

func TestReveal(t *testing.T) {
	t.Parallel()
	s := newSecrets(t.TempDir(), []string{`FLOWCTL_SECRET_HIVE=p"a\ss`})
	w := &wire.Assignment{
		Env:  []string{"A=b", "URL=hive://etl:" + flow.SecretMark("hive") + "@host/"},
		With: `{"password":"\u0000secret:hive\u0000","port":10000000000000001,"list":[{"x":"-\u0000secret:hive\u0000-"}],"plain":"y"}`,
	}
	env, with, err := s.reveal(w)
	if err != nil || !slices.Equal(env, []string{"A=b", `URL=hive://etl:p"a\ss@host/`}) {
		t.Errorf("environment %q, %v", env, err)
	}
	if want := `{"list":[{"x":"-p\"a\\ss-"}],"password":"p\"a\\ss","plain":"y","port":10000000000000001}`; with != want {
		t.Errorf("settings %s, want %s", with, want)
	}
	if slices.Contains(w.Env, env[1]) {
		t.Error("the assignment was changed")
	}
	w.With = `{"password":"\u0000secret:absent\u0000"}`
	if _, _, err := s.reveal(w); err == nil {
		t.Error("a secret that is not there was filled in")
	}
}

package python

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flowctl/plugins/sdk"
)

// bench is a flow's folder beside a folder of packages, and the cache of environments.
type bench struct {
	t                   *testing.T
	flow, wheels, cache string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, flow: t.TempDir(), wheels: t.TempDir(), cache: t.TempDir()}
	for _, version := range []string{"1", "2"} {
		b.wheel(version)
	}
	b.write("requirements.txt", "--no-index\n--find-links "+b.wheels+"\ndemo==1\n")
	return b
}

func (b *bench) write(name, text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.flow, name), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// wheel makes a version of the package demo, a module with its version.
func (b *bench) wheel(version string) {
	b.t.Helper()
	f, err := os.Create(filepath.Join(b.wheels, "demo-"+version+"-py3-none-any.whl"))
	if err != nil {
		b.t.Fatal(err)
	}
	z := zip.NewWriter(f)
	info := "demo-" + version + ".dist-info/"
	for name, text := range map[string]string{
		"demo.py": "version = " + version + "\n", info + "METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: " + version + "\n",
		info + "WHEEL": "Wheel-Version: 1.0\nGenerator: flowctl\nRoot-Is-Purelib: true\nTag: py3-none-any\n", info + "RECORD": "",
	} {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		b.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) run(text string) (sdk.Result, string) {
	b.t.Helper()
	return run(b.t, sdk.Spec{
		Dir: b.flow, Text: text, With: []byte(`{"requirements": "requirements.txt"}`), Env: []string{"XDG_CACHE_HOME=" + b.cache},
	})
}

// environments are the folders in the cache.
func (b *bench) environments() []string {
	b.t.Helper()
	all, err := filepath.Glob(filepath.Join(b.cache, "flowctl", "python", "*"))
	if err != nil {
		b.t.Fatal(err)
	}
	var folders []string
	for _, path := range all {
		if !strings.HasSuffix(path, ".lock") {
			folders = append(folders, path)
		}
	}
	return folders
}

const show = "import demo, sys, os\nprint(demo.version, sys.prefix == os.environ['VIRTUAL_ENV'])"

func TestRequirements(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const made = "flowctl: making a virtual environment for requirements.txt\n"
	var wg sync.WaitGroup
	logs := make([]string, 3)
	for i := range logs { // at once: one makes it
		wg.Go(func() { _, logs[i] = b.run(show) })
	}
	wg.Wait()
	all := strings.Join(logs, "")
	if strings.Count(all, made) != 1 || strings.Count(all, "1 True\n") != len(logs) || len(b.environments()) != 1 {
		t.Fatalf("logs %q, environments %v", logs, b.environments())
	}

	venv := b.environments()[0]
	spec := sdk.Spec{Dir: b.flow, Text: show + "\nimport shutil\nprint(shutil.which('python'))", With: []byte(`{"venv": "` + venv + `"}`)}
	if r, log := run(t, spec); log != "1 True\n"+venv+"/bin/python\n" {
		t.Errorf("by the folder: %+v, %q", r, log)
	}

	b.write("pinned.txt", "demo==2\n")
	b.write("requirements.txt", "--no-index\n--find-links "+b.wheels+"\ndemo\n-c pinned.txt\n")
	if r, log := b.run(show); log != made+"2 True\n" {
		t.Errorf("with other requirements: %+v, %q", r, log)
	}
	b.write("pinned.txt", "demo==1\n")
	if r, log := b.run(show); log != made+"1 True\n" {
		t.Errorf("with another file that they include: %+v, %q", r, log)
	}

	b.write("requirements.txt", "--no-index\n--find-links "+b.wheels+"\ndemo==3\n")
	if r, log := b.run(show); r.ExitCode != 1 || !strings.Contains(log, "No matching distribution found for demo==3") || !strings.HasSuffix(log, "ended with 1\n") {
		t.Errorf("with a package that there is not: %+v, %q", r, log)
	}
	b.write("requirements.txt", "-r absent.txt\n")
	if r, log := b.run(show); r.ExitCode != 1 || !strings.HasPrefix(log, "flowctl: requirements: [Errno 2] No such file") {
		t.Errorf("with a file that there is not: %+v, %q", r, log)
	}
}

// A killed attempt leaves half an environment, which the next one makes anew; what nobody uses goes after a week.
func TestEnvironmentsAreTidied(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if r, log := b.run(show); r.State != sdk.Succeeded {
		t.Fatalf("%+v, %q", r, log)
	}
	made := b.environments()[0]
	if err := os.Remove(filepath.Join(made, "complete")); err != nil {
		t.Fatal(err)
	}
	if r, log := b.run(show); r.State != sdk.Succeeded || !strings.Contains(log, "making") {
		t.Errorf("after half an environment: %+v, %q", r, log)
	}

	old := filepath.Join(filepath.Dir(made), "old")
	if err := os.Mkdir(old, 0o700); err != nil {
		t.Fatal(err)
	}
	week := time.Now().Add(-8 * 24 * time.Hour)
	for _, path := range []string{old, filepath.Join(made, "complete")} {
		if err := os.Chtimes(path, week, week); err != nil {
			t.Fatal(err)
		}
	}
	if r, log := b.run(show); log != "1 True\n" {
		t.Errorf("in an environment of last week: %+v, %q", r, log)
	}
	if now := b.environments(); len(now) != 1 || now[0] != made {
		t.Errorf("kept %v, want %s", now, made)
	}
}

func TestVenvIsComplete(t *testing.T) {
	t.Parallel()
	both := []byte(`{"venv": "/opt/x", "requirements": "r.txt"}`)
	if p := (Runner{}).Validate(both); len(p) != 1 || p[0].Path != "/venv" {
		t.Errorf("problems %+v", p)
	}
	if _, err := (Runner{}).Command(sdk.Spec{With: both}); err == nil {
		t.Error("a venv and requirements make a command")
	}
}

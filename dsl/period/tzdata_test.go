package period

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestZone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "UTC"} {
		if z, err := Zone(name); err != nil || z != time.UTC {
			t.Errorf("%q: %v, %v", name, z, err)
		}
	}
	for _, name := range []string{"Local", "Mars/Olympus", "europe/berlin", "../etc/passwd", "Europe", "Europe/"} {
		if z, err := Zone(name); err == nil {
			t.Errorf("%q is %v", name, z)
		}
	}
}

// TestZonesOfTheHostDoNotCount runs another test again on a host whose zone data says that Berlin keeps the time of New York.
func TestZonesOfTheHostDoNotCount(t *testing.T) {
	t.Parallel()
	files, err := zoneFiles()
	if err != nil {
		t.Fatal(err)
	}
	host := t.TempDir()
	if err := os.Mkdir(filepath.Join(host, "Europe"), 0o755); err != nil {
		t.Fatal(err)
	}
	wrong := make([]byte, files["America/New_York"].UncompressedSize64)
	f, err := files["America/New_York"].Open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(f, wrong); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(host, "Europe", "Berlin"), wrong, 0o644); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run", "^TestContainingAndDue$")
	cmd.Env = append(os.Environ(), "ZONEINFO="+host)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

package file

import (
	"os"
	"path/filepath"
	"testing"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdktest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	sdktest.Sensor(t, sdktest.SensorSuite{
		Sensor: Sensor{},
		Place: func(t *testing.T) sdktest.Place {
			base := t.TempDir()
			at := func(path string) string { return filepath.Join(base, sdk.Answering(path)) }
			return sdktest.Place{
				Base: base, File: "data", Folder: "folder/", Versions: true,
				Make: func(path, content string) {
					if err := os.MkdirAll(filepath.Dir(at(path)), 0o700); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(at(path), []byte(content), 0o600); err != nil {
						t.Fatal(err)
					}
				},
				Remove: func(path string) {
					if err := os.Remove(at(path)); err != nil {
						t.Fatal(err)
					}
				},
			}
		},
		Wrong: []string{"s3://bucket/key", "file://elsewhere/x"},
	})
}

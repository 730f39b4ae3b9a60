package period

import (
	"archive/zip"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// zoneinfo is the tz database of release 2025c, as Go 1.26 ships it in lib/time/zoneinfo.zip. To take a newer one, copy that file of a newer Go.
//
// The package time would look at the host first: servers with different system packages would then cut time differently.
//
//go:embed zoneinfo.zip
var zoneinfo string

// zoneFiles lists the files of zoneinfo by the name of their zone.
var zoneFiles = sync.OnceValues(func() (map[string]*zip.File, error) {
	r, err := zip.NewReader(strings.NewReader(zoneinfo), int64(len(zoneinfo)))
	if err != nil {
		return nil, err
	}
	files := make(map[string]*zip.File, len(r.File))
	for _, f := range r.File {
		files[f.Name] = f
	}
	return files, nil
})

// errLocalZone refuses the name that would mean something else on every host.
var errLocalZone = errors.New(`"Local" differs from host to host; write an IANA name such as Europe/Berlin`)

// Zone returns the time zone with an IANA name, UTC for the empty one, as the embedded tz database has it: the same on every machine.
func Zone(name string) (*time.Location, error) {
	switch name {
	case "", "UTC":
		return time.UTC, nil
	case "Local":
		return nil, errLocalZone
	}
	files, err := zoneFiles()
	if err != nil {
		return nil, fmt.Errorf("read the embedded tz database: %w", err)
	}
	f := files[name]
	if f == nil {
		return nil, fmt.Errorf("unknown time zone %.40s", name)
	}
	data, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("read time zone %s: %w", name, err)
	}
	defer data.Close() //nolint:errcheck // it is memory
	tz, err := io.ReadAll(data)
	if err != nil {
		return nil, fmt.Errorf("read time zone %s: %w", name, err)
	}
	return time.LoadLocationFromTZData(name, tz)
}

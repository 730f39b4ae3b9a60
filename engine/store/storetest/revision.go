package storetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"flowctl/dsl/diag"
	"flowctl/engine"
)

func testRevisions(w *world) {
	rejected := engine.Revision{
		Commit: "bad", Author: "Alice", Subject: "Break it", CommittedAt: noon, SeenAt: noon.Add(time.Microsecond), Rejected: true,
		Diagnostics: []diag.Diagnostic{{
			File: "a.yaml", Line: 1, Col: 2, Severity: diag.Warning, Rule: "unused", Message: "m", Hint: "h", Path: "p",
			Related: &diag.Related{File: "b.yaml", Line: 3, Col: 4, Message: "here"},
		}},
	}
	good := engine.Revision{Commit: "good", Hash: "hash", CommittedAt: noon}
	var err error
	rejected.ID, err = w.PutRevision(w.ctx, w.term, &rejected)
	w.must(err)
	good.ID, err = w.PutRevision(w.ctx, w.term, &good)
	w.must(err)
	if rejected.ID != w.revision+1 || good.ID != w.revision+2 {
		w.Fatalf("revisions %d, %d after %d", rejected.ID, good.ID, w.revision)
	}
	w.equal("active", w.load().Active, w.revision)
	w.must(w.Activate(w.ctx, w.term, good.ID, noon))
	w.equal("active", w.load().Active, good.ID)
	w.code("activate a rejected revision", w.Activate(w.ctx, w.term, rejected.ID, noon), engine.Conflict)
	w.code("activate an absent revision", w.Activate(w.ctx, w.term, 99, noon), engine.Conflict)

	w.restart()
	good.Active = true
	list, err := w.Revisions(w.ctx, 0, 2)
	w.must(err)
	w.equal("newest", list, []engine.Revision{good, rejected})
	list, err = w.Revisions(w.ctx, rejected.ID, 2)
	w.must(err)
	w.equal("older", list, []engine.Revision{{ID: w.revision, Commit: "c0ffee"}})
	got, err := w.Revision(w.ctx, rejected.ID)
	w.must(err)
	w.equal("rejected", *got, rejected)
}

func file(path string, mode uint32, data string) engine.File {
	sum := sha256.Sum256([]byte(data))
	return engine.File{Path: path, Mode: mode, Hash: hex.EncodeToString(sum[:]), Size: int64(len(data)), Data: []byte(data)}
}

func testFiles(w *world) {
	files := []engine.File{
		file("sql/b.sql", 0o644, "select 1"), file("a.sh", 0o755, "echo"), file("link", 0o120000, "a.sh"), file("copy.sh", 0o644, "echo"),
		file("empty", 0o644, ""), file("binary", 0o644, "\x00\xff"),
	}
	first, err := w.PutRevision(w.ctx, w.term, &engine.Revision{Commit: "1", Files: files})
	w.must(err)
	second, err := w.PutRevision(w.ctx, w.term, &engine.Revision{Commit: "2", Files: files[1:2]})
	w.must(err)
	w.restart()

	got, err := w.Files(w.ctx, first)
	w.must(err)
	want := []engine.File{files[1], files[5], files[3], files[4], files[2], files[0]}
	for i := range want {
		data, err := w.Blob(w.ctx, want[i].Hash)
		w.must(err)
		if !bytes.Equal(data, want[i].Data) {
			w.Errorf("content of %s: got %q", want[i].Path, data)
		}
		want[i].Data = nil
	}
	w.equal("files", got, want)
	got, err = w.Files(w.ctx, second)
	w.must(err)
	w.equal("files of the second", got, want[:1])

	bad := engine.File{Path: "x", Hash: "no hash"}
	if _, err := w.PutRevision(w.ctx, w.term, &engine.Revision{Commit: "3", Files: []engine.File{bad}}); err == nil {
		w.Error("a file without hash was stored")
	}
	_, err = w.Revision(w.ctx, second+1)
	w.code("revision that failed half way", err, engine.NotFound)
}

package sqlite

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema to the newest version. The version is the database's user_version, which is part of the same
// transaction as the migration itself: a server that is already there pays one pragma. Files are applied in the order of
// their names; a published file never changes.
func migrate(ctx context.Context, c *conn) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	var version int
	if err := c.query(ctx, `PRAGMA user_version`, func(r *row) error { version = int(r.int()); return nil }); err != nil {
		return err
	}
	if version > len(files) {
		return fmt.Errorf("the database has schema %d, this flowctl knows only %d: run the newer flowctl that wrote it", version, len(files))
	}
	for i, name := range files[version:] {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return err
		}
		var b strings.Builder
		fmt.Fprintf(&b, "BEGIN IMMEDIATE;\n%s\nPRAGMA user_version = %d;\nCOMMIT;", text, version+i+1)
		if err := c.script(ctx, b.String()); err != nil {
			return fmt.Errorf("migrate to schema %d (%s): %w", version+i+1, name, err)
		}
	}
	return nil
}

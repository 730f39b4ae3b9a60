package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"flowctl/dsl"
)

func newSchema(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of flow files for editors",
		Long: `Print the JSON schema (draft-07) of the documents of a flows repository.

Editors that use yaml-language-server then complete fields, show what they mean and mark those that do not exist. What it accepts
may still be wrong: flowctl validate checks names, schedules and expressions as well.`,
		Example: `  flowctl schema > .flowctl.schema.json
  # the first line of a flow file, for one file
  # yaml-language-server: $schema=.flowctl.schema.json
  # or the settings of VS Code, for all of them
  # "yaml.schemas": {".flowctl.schema.json": "*.yaml"}`,
		Args: argsAs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			schema, err := dsl.EditorSchema()
			if err == nil {
				_, err = s.out.Write(schema)
			}
			if err != nil {
				return &exitError{exitUnavailable, fmt.Errorf("print the schema: %w", err)}
			}
			return nil
		},
	}
}

package period

// Schedule is a compiled Spec: immutable and safe for concurrent use.
type Schedule struct {
	spec Spec
}

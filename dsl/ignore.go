package dsl

// Ignored reads an ignore file (nil when there is none) and returns a function that tells whether a file or folder, by its path
// relative to the flows root, is left out: hidden folders always, and what the patterns name. It looks at the path itself; who
// walks a tree does not descend into a folder that is left out.
func Ignored(patterns []byte) func(path string, dir bool) bool {
	return parseIgnore(patterns).skips
}

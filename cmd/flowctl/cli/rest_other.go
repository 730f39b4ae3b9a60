//go:build !linux

package cli

// rest does nothing here: the kernel decides how late threads wake.
func rest() {}

//go:build !linux

package account

import (
	"errors"
	"fmt"
	"net"
)

const (
	read  = 4
	write = 2
	enter = 1
)

func (u *User) share(string, uint16) error {
	return fmt.Errorf("access control lists on this system: %w", errors.ErrUnsupported)
}

func peer(*net.UnixConn) (uint32, error) {
	return 0, fmt.Errorf("ask whose socket it is on this system: %w", errors.ErrUnsupported)
}

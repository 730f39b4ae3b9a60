package account

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// The permissions of an entry.
const (
	read  = 4
	write = 2
	enter = 1
)

// The tags of entries, from include/uapi/linux/posix_acl.h, in the order in which the kernel wants them.
const (
	tagOwner = 0x01
	tagUser  = 0x02
	tagGroup = 0x04
	tagMask  = 0x10
	tagOther = 0x20
)

const (
	aclVersion = 2 // of the extended attribute, include/uapi/linux/posix_acl_xattr.h
	noID       = ^uint32(0)
)

type entry struct {
	tag, perm uint16
	id        uint32
}

// share sets the access control list of what this process owns: it and the user, and nobody else. In a folder that the user may write in,
// what is made anew is for the two as well.
func (u *User) share(path string, perm uint16) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	all := uint16(read | write | enter)
	if !info.IsDir() {
		all, perm = all&^enter, perm&^enter
	}
	list := encode(
		entry{tagOwner, all, noID}, entry{tagUser, perm, u.uid}, entry{tagGroup, 0, noID}, entry{tagMask, perm, noID}, entry{tagOther, 0, noID},
	)
	if err := set(path, "system.posix_acl_access", list); err != nil {
		return err
	}
	if !info.IsDir() || perm&write == 0 {
		return nil
	}
	first, second := u.uid, uint32(os.Getuid())
	if first > second { // entries of one tag are in the order of their ids
		first, second = second, first
	}
	return set(path, "system.posix_acl_default", encode(
		entry{tagOwner, all, noID}, entry{tagUser, all, first}, entry{tagUser, all, second},
		entry{tagGroup, 0, noID}, entry{tagMask, all, noID}, entry{tagOther, 0, noID},
	))
}

func set(path, attribute string, list []byte) error {
	err := unix.Lsetxattr(path, attribute, list, 0)
	if errors.Is(err, unix.ENOTSUP) {
		return fmt.Errorf("its file system has no access control lists, which an agent needs that is not root: %w", err)
	}
	return err
}

func encode(entries ...entry) []byte {
	b := binary.LittleEndian.AppendUint32(nil, aclVersion)
	for _, e := range entries {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

// peer tells whose process listens at the other end.
func peer(conn *net.UnixConn) (uint32, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var who *unix.Ucred
	var asked error
	if err := raw.Control(func(fd uintptr) { who, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return 0, err
	}
	if asked != nil {
		return 0, fmt.Errorf("ask whose socket it is: %w", asked)
	}
	return who.Uid, nil
}

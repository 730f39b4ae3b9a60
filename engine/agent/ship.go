package agent

import (
	"bytes"
	"fmt"
)

// maxTail is how much of the end of a log that is too long is kept, in bytes.
const maxTail = 1 << 20

// shipment makes the server's log of an attempt from the runner's: secrets are masked, byte for byte, and of a log that is too long the
// middle is left out. It can begin anywhere: what it makes does not depend on that.
type shipment struct {
	send    func(offset int64, data []byte) error
	from    int64    // what the server has already
	secrets [][]byte // what is masked
	longest int      // of the secrets, in bytes
	limit   int64    // of the head; 0 = none
	keep    int      // of the end of what is beyond it

	pending []byte // may be the beginning of a secret
	offset  int64  // of pending in the runner's log
	lead    int    // how much of pending a secret covers that began before it

	tail  []byte // the last bytes after the head
	total int64  // of the runner's log
	noted bool   // the note is sent that the log is too long
}

// newShipment returns a shipment and where the runner's log is to be read from. The longest log is as long as longest, with the notes
// a little longer; 0 means any length.
func newShipment(from, longest int64, secrets [][]byte, send func(int64, []byte) error) (*shipment, int64) {
	s := &shipment{send: send, from: from, secrets: secrets, longest: 1}
	if longest > 0 {
		s.keep = int(min(maxTail, longest/2))
		s.limit = longest - int64(s.keep)
	}
	start := from
	if s.limit > 0 {
		start = min(start, s.limit)
	}
	for _, secret := range secrets {
		s.longest = max(s.longest, len(secret))
	}
	s.offset = max(start-int64(s.longest)+1, 0) // one may have begun before
	return s, s.offset
}

// take is given the runner's log piece by piece.
func (s *shipment) take(_ int64, data []byte) error {
	if len(s.secrets) == 0 {
		at := s.offset
		s.offset += int64(len(data))
		return s.cut(at, data)
	}
	s.pending = append(s.pending, data...)
	keep := 0
	for _, secret := range s.secrets {
		for n := min(len(secret)-1, len(s.pending)); n > keep; n-- {
			if bytes.HasSuffix(s.pending, secret[:n]) {
				keep = n
			}
		}
	}
	return s.release(len(s.pending) - keep)
}

// release passes on the first n bytes of what is pending.
func (s *shipment) release(n int) error {
	masked := bytes.Clone(s.pending)
	reach := mask(masked, s.pending, s.secrets, s.lead, n)
	at := s.offset
	s.offset += int64(n)
	s.pending, s.lead = s.pending[:copy(s.pending, s.pending[n:])], max(reach-n, s.lead-n, 0)
	return s.cut(at, masked[:n])
}

// end is called after the last piece.
func (s *shipment) end() error {
	if len(s.pending) > 0 {
		if err := s.release(len(s.pending)); err != nil {
			return err
		}
	}
	if !s.noted {
		return nil
	}
	rest := s.tail[max(0, len(s.tail)-s.keep):]
	if left := s.total - s.limit - int64(len(rest)); left > 0 {
		rest = append(fmt.Appendf(nil, "\n[flowctl: %d bytes are left out here]\n", left), rest...)
	}
	return s.deliver(s.limit+int64(len(s.note())), rest)
}

// useless tells which part of the runner's log, if any, makes no difference any more to what this or a later shipment makes of it.
func (s *shipment) useless() (from, to int64) {
	if !s.noted {
		return 0, 0
	}
	return s.limit + int64(s.longest), s.offset - int64(s.keep+s.longest)
}

// cut keeps what is beyond the limit for the end.
func (s *shipment) cut(at int64, data []byte) error {
	s.total = at + int64(len(data))
	if s.limit == 0 || s.total <= s.limit {
		return s.deliver(at, data)
	}
	if at < s.limit {
		if err := s.deliver(at, data[:s.limit-at]); err != nil {
			return err
		}
		data = data[s.limit-at:]
	}
	if !s.noted {
		s.noted = true
		if err := s.deliver(s.limit, []byte(s.note())); err != nil {
			return err
		}
	}
	s.tail = append(s.tail, data...)
	if n := len(s.tail) - s.keep; n > s.keep { // not for each piece
		s.tail = s.tail[:copy(s.tail, s.tail[n:])]
	}
	return nil
}

func (s *shipment) note() string {
	return fmt.Sprintf("\n[flowctl: the log is longer than %d bytes; its end follows when the task has ended]\n", s.limit)
}

// deliver sends what the server does not have.
func (s *shipment) deliver(at int64, data []byte) error {
	if have := s.from - at; have > 0 {
		if have >= int64(len(data)) {
			return nil
		}
		at, data = s.from, data[have:]
	}
	if len(data) == 0 {
		return nil
	}
	return s.send(at, data)
}

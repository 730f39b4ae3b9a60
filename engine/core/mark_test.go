package core

import "testing"

// FuzzMark reads any text as the place of a backfill: what is accepted is written and read as the same.
func FuzzMark(f *testing.F) {
	for _, text := range []string{"1763510400000000|3|warehouse.orders", "0|0|", "|", "1|2", "1|2|a|b", "-1|-2|x", "99999999999999999999|0|f"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, err := parseMark(text)
		if err != nil {
			if k != (mark{}) {
				t.Fatalf("%q is refused and gives %+v", text, k)
			}
			return
		}
		if again, err := parseMark(k.String()); err != nil || again != k {
			t.Fatalf("%q is %+v, and read again %+v (%v)", text, k, again, err)
		}
	})
}

package cli

import (
	"fmt"
	"io"

	"github.com/schollz/progressbar/v3"

	"flowctl/engine"
)

// progressView shows how far a backfill is, on stderr: as a bar on a terminal, elsewhere as a line at each twentieth.
type progressView struct {
	out    io.Writer
	bar    *progressbar.ProgressBar // nil = lines
	text   string                   // before the bar
	step   int                      // twentieths told so far
	failed int                      // failures told so far
	state  engine.BackfillState
}

const steps = 20

func newProgress(g *globals, total int) *progressView {
	p := &progressView{out: g.err, step: -1}
	if _, ok := terminal(g.err); ok {
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(g.err), progressbar.OptionFullWidth(),
			progressbar.OptionShowCount(), progressbar.OptionEnableColorCodes(g.color), progressbar.OptionSetPredictTime(true))
	}
	return p
}

func (p *progressView) show(b engine.BackfillView) {
	ended := ended(b)
	if p.bar != nil {
		text := "running"
		if b.State != engine.BackfillRunning {
			text = string(b.State)
		}
		if b.Failed > 0 {
			text += fmt.Sprintf(", %d failed", b.Failed)
		}
		if m := max(b.Total, 1); m != p.bar.GetMax() {
			p.bar.ChangeMax(m)
		}
		if text != p.text {
			p.text = text
			p.bar.Describe(text)
		}
		_ = p.bar.Set(ended) // a terminal that is gone is no reason to stop waiting
		return
	}
	step := steps
	if b.Total > 0 && b.State != engine.BackfillDone {
		step = ended * steps / b.Total
	}
	firstFailure := p.failed == 0 && b.Failed > 0
	if step == p.step && b.State == p.state && !firstFailure {
		return
	}
	p.step, p.state, p.failed = step, b.State, b.Failed
	fmt.Fprintf(p.out, "%3d%%  %d of %d runs ended, %d failed  %s\n", step*100/steps, ended, b.Total, b.Failed, b.State)
}

func (p *progressView) end() {
	if p.bar != nil {
		fmt.Fprintln(p.out)
	}
}

package sdk

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// CheckEach is Check for sensors that ask about each path by itself: about so many of them at once. An error is that path's.
func CheckEach(ctx context.Context, paths []string, atOnce int, check func(context.Context, string) (PathState, error)) ([]PathState, error) {
	states := make([]PathState, len(paths))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, path := range paths {
		group.Go(func() error {
			var err error
			if states[i], err = check(ctx, path); err != nil {
				states[i].Error = err.Error()
			}
			return nil
		})
	}
	_ = group.Wait() // each path has its own error
	return states, ctx.Err()
}

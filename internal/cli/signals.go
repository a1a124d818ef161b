package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// watchSignals lets the first interrupt drain a run, and the second end it.
// The third ends the process, should it hang.
//
// SIGPIPE is caught, so that a write to a reader that has gone is an error like
// any other: `esd apply | head` must not die in the middle of a run. Catching
// is not ignoring: programs that esd starts get the default again.
func (a *app) watchSignals(cancel context.CancelFunc) (stop func()) {
	signals, pipe := make(chan os.Signal, 3), make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	signal.Notify(pipe, syscall.SIGPIPE)
	ended := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case <-signals:
				switch n {
				case 0:
					close(a.drain)
				case 1:
					cancel()
					signal.Reset(os.Interrupt, syscall.SIGTERM)
				}
			case <-ended:
				return
			}
		}
	}()
	return func() { signal.Stop(signals); signal.Stop(pipe); close(ended) }
}

// interruptible is a context that the first interrupt ends: for work that
// leaves nothing behind.
func (a *app) interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-a.drain:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

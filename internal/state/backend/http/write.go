package httpstate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"esd/internal/state"
	"esd/internal/state/backend"
)

// Write implements backend.Lock.
func (h *held) Write(ctx context.Context, next *state.State) error {
	return h.write(ctx, next, func() error {
		recorded, err := h.b.recorded(ctx)
		if err != nil {
			return fmt.Errorf("the recorded state cannot be read, so it was not replaced: %w", err)
		}
		return state.CheckSuccession(recorded, next.Header())
	})
}

// Overwrite implements backend.Lock.
func (h *held) Overwrite(ctx context.Context, next *state.State) error {
	return h.write(ctx, next, func() error {
		h.b.forget()
		return nil
	})
}

func (h *held) write(ctx context.Context, next *state.State, check func() error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	data, err := state.Encode(next)
	if err != nil {
		return err
	}
	body, err := pack(data, next.Header())
	if err != nil {
		return fmt.Errorf("pack state: %w", err)
	}
	if err := h.mine(ctx); err != nil {
		return err
	}
	if err := check(); err != nil {
		return err
	}
	if err := h.put(ctx, body, next.Header()); err != nil {
		return err
	}
	h.b.remember(next.Header(), fingerprintOf(body))
	return nil
}

// put writes a document and makes sure that the server shows it. It is not
// repeated before it is known what became of the last attempt: most servers
// refuse the same serial a second time.
func (h *held) put(ctx context.Context, body []byte, header state.Header) error {
	b := h.b
	for attempt := 0; ; attempt++ {
		a, err := b.client.send(ctx, request{method: b.places.updateMethod, url: h.target(), body: body})
		if err == nil && a.ok() {
			if err := a.page(); err != nil {
				return b.failure(ctx, writing, err)
			}
			return b.confirm(ctx, body, header)
		}
		if ctx.Err() == nil {
			// What was not confirmed is compared as a whole: somebody else's document
			// of the same serial begins like ours.
			shown, _, lookErr := b.shows(ctx, body, true)
			if lookErr != nil {
				return b.doubtful(b.failedWrite(ctx, a, errors.Join(err, lookErr)))
			}
			if shown {
				return nil
			}
			if err := h.mine(ctx); err != nil {
				return err
			}
		}
		if !passing(a, err) || attempt >= b.client.retry.Max || ctx.Err() != nil {
			return b.failedWrite(ctx, a, err)
		}
		if err := b.client.retry.wait(ctx, attempt, a); err != nil {
			return err
		}
	}
}

// target is where the holder of this lock writes.
func (h *held) target() *url.URL {
	if h.b.places.lock == nil {
		return h.b.places.state
	}
	return withQuery(h.b.places.state, "ID", h.info.ID)
}

func (b *Backend) failedWrite(ctx context.Context, a *answer, err error) error {
	if a != nil {
		said := b.client.status(a)
		if a.status == http.StatusLocked || a.status == http.StatusConflict {
			err = fmt.Errorf("%w, although the lock is held: it may have a state of this serial already", said)
		} else {
			err = errors.Join(said, err)
		}
	}
	return b.failure(ctx, writing, err)
}

// confirm makes sure that the server shows what it has said to have written. A
// server that lags behind is given the time of the retries.
func (b *Backend) confirm(ctx context.Context, body []byte, header state.Header) error {
	for attempt := 0; ; attempt++ {
		shown, a, err := b.shows(ctx, body, false)
		switch {
		case err != nil:
			return fmt.Errorf("serial %d was written, and could not be read again to make sure: %w", header.Serial, err)
		case shown:
			return nil
		case attempt < b.client.retry.Max:
			if err := b.client.retry.wait(ctx, attempt, nil); err != nil {
				return err
			}
			continue
		}
		return &backend.UntrustedError{
			Location: b.Location(),
			Problem:  fmt.Sprintf("the server said that serial %d was written, and shows %s", header.Serial, describe(a)),
			Fix: "a server that keeps versions by serial, as GitLab does, goes on showing the highest: write one above it; " +
				"another one that loses what it was given is no place for a state",
		}
	}
}

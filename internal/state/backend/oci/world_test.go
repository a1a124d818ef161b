package oci

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	registry "esd/internal/oci"
)

// world is a repository in which everything takes an arbitrary time: a push takes
// effect at some moment between its beginning and its answer, or long after an
// error was answered; a list of tags is put together of parts that were looked at
// one after the other, while others push and remove. It promises what the
// specification of place says, and not a bit more.
type world struct {
	mu    sync.Mutex
	rng   *rand.Rand
	tags  map[string]object
	blobs map[string][]byte
	ever  map[string]object // all that was ever there
	past  []moment          // for lists that are out of date
	late  sync.WaitGroup    // effects that are still to come

	slowest time.Duration // of ordinary delays
	stall   time.Duration // of the rare long ones
	faults  float64       // how often a request fails
	stale   time.Duration // how old lists may be
	own     bool          // clients see at least what they have done themselves
}

// moment is what the repository held from some time on.
type moment struct {
	at   time.Time
	tags []string
}

func newWorld(seed uint64) *world {
	return &world{rng: rand.New(rand.NewPCG(seed, seed)), tags: map[string]object{}, blobs: map[string][]byte{}, ever: map[string]object{},
		slowest: 20 * time.Millisecond}
}

func (w *world) chance(p float64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return p > 0 && w.rng.Float64() < p
}

func (w *world) between(d time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d <= 0 {
		return 0
	}
	return time.Duration(w.rng.Int64N(int64(d)))
}

// put and drop are the moments at which something takes effect.
func (w *world) put(o object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range o.blobs {
		w.blobs[b.desc.Digest.String()] = b.content
	}
	w.tags[o.tag] = o
	if _, ok := w.ever[o.tag]; !ok {
		w.ever[o.tag] = o
	}
	w.remember()
}

func (w *world) drop(tag string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.tags, tag)
	w.remember()
}

func (w *world) remember() {
	if w.stale > 0 {
		w.past = append(w.past, moment{time.Now(), slices.Collect(maps.Keys(w.tags))})
	}
}

// broken reports whether a lock was ever taken away.
func (w *world) broken(token string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for tag := range w.ever {
		if strings.Contains(tag, "."+kindBroken+".") && strings.HasSuffix(tag, token) {
			return true
		}
	}
	return false
}

// client is a place as one process sees it.
type client struct {
	w *world

	mu   sync.Mutex
	dead bool
	wake time.Time       // until when the process sleeps
	done map[string]bool // tags that this process has pushed (true) or removed
}

var (
	errDead  = errors.New("the process was killed")
	errFault = fmt.Errorf("the world: %w: no answer", registry.ErrUnavailable)
)

func (c *client) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
}

func (c *client) killed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// step passes some time, in which the process may be killed.
func (c *client) step(ctx context.Context) error {
	d := c.w.between(c.w.slowest)
	if c.w.chance(0.01) {
		d += c.w.between(c.w.stall)
	}
	time.Sleep(d)
	c.mu.Lock()
	wake := c.wake
	c.mu.Unlock()
	time.Sleep(time.Until(wake))
	if c.killed() {
		return errDead
	}
	return ctx.Err()
}

// act lets something take effect once, or not, or later.
func (c *client) act(ctx context.Context, effect func()) error {
	if err := c.step(ctx); err != nil {
		if c.w.chance(0.5) {
			return err
		}
		effect() // it had left the process before
		return err
	}
	if !c.w.chance(c.w.faults) {
		effect()
		return c.step(ctx)
	}
	if c.w.chance(0.5) {
		c.w.late.Go(func() {
			time.Sleep(c.w.between(2 * c.w.stall))
			effect()
		})
	}
	if err := c.step(ctx); err != nil {
		return err
	}
	return errFault
}

func (c *client) Location() string { return "the world" }

func (c *client) Push(ctx context.Context, o object) error {
	return c.did(o.tag, true, c.act(ctx, func() { c.w.put(o) }))
}

func (c *client) Remove(ctx context.Context, tag string, _ ocispec.Descriptor) error {
	return c.did(tag, false, c.act(ctx, func() { c.w.drop(tag) }))
}

func (c *client) did(tag string, there bool, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = map[string]bool{}
	}
	c.done[tag] = there
	return err
}

func (c *client) CanRemove(ctx context.Context) error { return c.step(ctx) }

// parts is in how many parts a list is looked at.
const parts = 4

func (c *client) Tags(ctx context.Context, prefix string) ([]string, error) {
	if err := c.step(ctx); err != nil {
		return nil, err
	}
	if c.w.chance(c.w.faults) {
		return nil, errFault
	}
	if c.w.stale > 0 && c.w.chance(0.5) {
		return c.withOwn(c.w.before(c.w.between(c.w.stale))), nil
	}
	c.w.mu.Lock()
	order := c.w.rng.Perm(parts)
	salt := c.w.rng.Uint32()
	c.w.mu.Unlock()
	var tags []string
	for _, part := range order {
		c.w.mu.Lock()
		for tag := range c.w.tags {
			h := fnv.New32a()
			fmt.Fprint(h, salt, tag)
			if int(h.Sum32()%parts) == part && strings.HasPrefix(tag, prefix) {
				tags = append(tags, tag)
			}
		}
		c.w.mu.Unlock()
		if err := c.step(ctx); err != nil {
			return nil, err
		}
	}
	slices.Sort(tags)
	return tags, nil
}

// withOwn is a list with what this client has done itself.
func (c *client) withOwn(tags []string) []string {
	if !c.w.own {
		return tags
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for tag, there := range c.done {
		tags = slices.DeleteFunc(tags, func(t string) bool { return t == tag })
		if there {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	return tags
}

// before is the list of some time ago.
func (w *world) before(ago time.Duration) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	then := time.Now().Add(-ago)
	var tags []string
	for _, m := range w.past {
		if m.at.After(then) {
			break
		}
		tags = m.tags
	}
	return slices.Sorted(slices.Values(tags))
}

func (c *client) Manifest(ctx context.Context, tag string) (ocispec.Descriptor, []byte, error) {
	if err := c.step(ctx); err != nil {
		return ocispec.Descriptor{}, nil, err
	}
	if c.w.chance(c.w.faults) {
		return ocispec.Descriptor{}, nil, errFault
	}
	c.w.mu.Lock()
	o, ok := c.w.tags[tag]
	c.w.mu.Unlock()
	if !ok {
		return ocispec.Descriptor{}, nil, registry.ErrNotFound
	}
	return o.desc, o.manifest, c.step(ctx)
}

func (c *client) Blob(ctx context.Context, desc ocispec.Descriptor) ([]byte, error) {
	if err := c.step(ctx); err != nil {
		return nil, err
	}
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	return c.w.blobs[desc.Digest.String()], nil
}

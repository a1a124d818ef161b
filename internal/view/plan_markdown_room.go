package view

import "fmt"

// section is a part of a comment that can be long.
type section struct {
	weight int // its claim to room, compared with others
	write  func(*comment)
}

// maxSections bounds a comment on a plan of very many environments, leastSection
// is the room in bytes that each section gets, and sectionSlack what a section
// wants to have left before it begins, and does not use if it fits.
const (
	maxSections  = 60
	leastSection = 400
	sectionSlack = 3 * tableEnd
)

// changes writes the sections. Each gets the room that it takes; where there is
// not enough for all, the long ones share what the short ones leave, so that each
// says at least what it left out.
func (c *comment) changes() {
	list, left := c.sections(), 0
	if most := min(maxSections, c.left/leastSection); len(list) > most {
		list, left = list[:most], len(list)-most
	}
	sizes := make([]int, len(list))
	for i, s := range list {
		scratch := comment{left: c.left, plan: c.plan, users: c.users}
		s.write(&scratch)
		sizes[i] = scratch.b.Len()
	}
	shares := shareRoom(max(c.left-sectionSlack, 0), list, sizes)
	for i, s := range list {
		share := shares[i]
		if share == sizes[i] {
			share += sectionSlack
		}
		c.within(share, s.write)
	}
	if left > 0 {
		c.add(fmt.Sprintf("%s more: left out, as this comment would get too long.\n\n", Plural(left, "group")))
	}
}

// within writes with no more than a part of the room.
func (c *comment) within(share int, write func(*comment)) {
	kept := max(c.left-share, 0)
	c.left -= kept
	write(c)
	c.left += kept
}

// shareRoom divides room among sections: none gets more than it takes, and those
// that get less get as much as their weights say.
func shareRoom(room int, list []section, sizes []int) []int {
	shares, given := make([]int, len(list)), make([]bool, len(list))
	for again := true; again; {
		again = false
		weights := 0
		for i, s := range list {
			if !given[i] {
				weights += s.weight
			}
		}
		for i, s := range list {
			if given[i] {
				continue
			}
			shares[i] = room * s.weight / weights
			if sizes[i] <= shares[i] {
				shares[i], given[i], again = sizes[i], true, true
				room -= sizes[i]
				break
			}
		}
	}
	return shares
}

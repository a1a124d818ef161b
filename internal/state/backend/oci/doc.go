// Package oci keeps a state in a repository of an OCI registry, beside the images
// that it is about, or in a layout directory.
//
// A registry cannot compare and swap: of two who push to one tag, the later wins
// and nobody hears of it. So no tag is ever moved here. Everything is a tag of its
// own that is pushed once, and who reads makes up its mind from the list of tags:
//
//	NAME.state.GENERATION.FENCE.SERIAL.PREDECESSOR.DIGEST   a version of the state
//	NAME.choosing.TOKEN                                     somebody draws a ticket
//	NAME.lock.TICKET.TOKEN                                  somebody has drawn one
//	NAME.beat.TOKEN.NUMBER                                  a heartbeat of the holder
//	NAME.broken.TICKET.TOKEN                                a lock that was taken away
//	NAME.void.GENERATION.DIGEST                             a version that its writer took back
//
// The lock is Lamport's bakery algorithm (A New Solution of Dijkstra's Concurrent
// Programming Problem, 1974), which needs nothing but that a list of tags shows
// each tag whose push was confirmed before it was asked for. The ticket is the
// fencing number of the lock. Versions form a chain that the names of the tags
// show, so that a fork, should the registry not keep to that, is seen by whoever
// reads next. The decision record on states in registries has the argument.
package oci

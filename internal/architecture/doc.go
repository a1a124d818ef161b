// Package architecture holds the test of the rule that keeps the house in
// order: imports point downward only. There is no code to use here.
package architecture

package providers_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/addr"
	"esd/internal/providers"
)

func TestContentKeys(t *testing.T) {
	key := func(f func(*providers.KeyBuilder)) string {
		b := providers.NewKey("kind", 1)
		f(b)
		k, _ := b.Sum()
		return k
	}
	base := key(func(b *providers.KeyBuilder) { b.Add("a", "x"); b.Add("b", "y") })
	for name, test := range map[string]struct {
		key  string
		same bool
	}{
		"the same inputs give the same":        {key(func(b *providers.KeyBuilder) { b.Add("a", "x"); b.Add("b", "y") }), true},
		"how an input is explained is no part": {key(func(b *providers.KeyBuilder) { b.AddValue("a", "x"); b.AddExplained("b", "y", "z") }), true},
		"another content":                      {key(func(b *providers.KeyBuilder) { b.Add("a", "x"); b.Add("b", "z") }), false},
		"another name":                         {key(func(b *providers.KeyBuilder) { b.Add("a", "x"); b.Add("c", "y") }), false},
		"another order":                        {key(func(b *providers.KeyBuilder) { b.Add("b", "y"); b.Add("a", "x") }), false},
		"inputs that run into each other":      {key(func(b *providers.KeyBuilder) { b.Add("a", "x1:b1:y") }), false},
		"an input that has no name":            {key(func(b *providers.KeyBuilder) { b.Add("ax", ""); b.Add("b", "y") }), false},
	} {
		if (test.key == base) != test.same {
			t.Errorf("%s: %v", name, test.key == base)
		}
	}
	other, _ := providers.NewKey("kind", 2).Sum()
	if first, _ := providers.NewKey("kind", 1).Sum(); first == other || len(first) != 64 {
		t.Error("another version gives another key")
	}
}

func TestInputsSayWhatMayBeShown(t *testing.T) {
	b := providers.NewKey("kind", 1)
	b.AddValue("version", "1.2")
	b.AddValue("long", "0123456789012345678901234567890")
	b.AddDigest("source", "sha256:aabbccddeeff00112233")
	b.AddObject("needs lib", &providers.Object{Address: addr.Address{Module: "module.m", Kind: "recipe", Name: "lib"}, Key: "0123456789abcdef0123"})
	_, inputs := b.Sum()
	want := []providers.Input{
		{Name: "version", Text: "1.2", Shown: true}, {Name: "long", Text: providers.ShortDigest("0123456789012345678901234567890")},
		{Name: "source", Text: "sha256:aabbccdde"}, {Name: "module.m.recipe.lib", Text: "0123456789abcdef", Object: true},
	}
	if diff := cmp.Diff(want, inputs); diff != "" {
		t.Error(diff)
	}
	if inputs[0].Recorded() != "=1.2" || inputs[3].Recorded() != "0123456789abcdef" {
		t.Error("as they are recorded")
	}
}

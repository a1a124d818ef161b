# A small scientific stack, from C sources to a container image that runs:
#
#   libhh      a library that integrates the Hodgkin-Huxley equations
#   spike      a program on it, linked statically
#   fi-curve   a result: the firing rate of the neuron over the current
#
# It takes a C compiler and nothing else:
#
#   go run ./cmd/esd apply --auto-approve examples/quickstart.hcl

variable "release" {
  description = "The tag of the published image."
  type        = string
  default     = "1.0"
}

locals {
  # Nothing that would let the same source give other bytes elsewhere.
  cflags = "-std=c99 -O2 -ffp-contract=off -Wall -Wextra -Wpedantic"
}

recipe "libhh" {
  version = "1.0.0"
  source { path = "quickstart/libhh" }
  script = <<-EOT
    cc ${local.cflags} -c hh.c
    ar rcD libhh.a hh.o
    cc ${local.cflags} test_hh.c libhh.a -lm -o test_hh
    ./test_hh

    mkdir -p "$prefix/include" "$prefix/lib/pkgconfig"
    cp hh.h "$prefix/include/"
    cp libhh.a "$prefix/lib/"
    cat > "$prefix/lib/pkgconfig/hh.pc" <<END
    prefix=$prefix
    Name: hh
    Description: Hodgkin-Huxley neuron
    Version: 1.0.0
    Cflags: -I$prefix/include
    Libs: -L$prefix/lib -lhh -lm
    END
  EOT
}

recipe "spike" {
  version = "1.0.0"
  source { path = "quickstart/spike" }
  build_needs = [recipe.libhh] # linked into the program, so no image needs it
  script      = <<-EOT
    echo 'int main(void) { return 0; }' > static.c
    if ! cc -static static.c -o static; then
      echo "There is no static C library here, and the image holds no other." >&2
      echo "Debian and Ubuntu have it in libc6-dev, Fedora in glibc-static." >&2
      exit 1
    fi
    mkdir -p "$prefix/bin"
    cc ${local.cflags} -static -s -I"$libhh/include" spike.c "$libhh/lib/libhh.a" -lm -o "$prefix/bin/spike"
  EOT
}

recipe "fi-curve" {
  version     = "1.0.0"
  build_needs = [recipe.spike]
  script      = <<-EOT
    mkdir -p "$prefix/share"
    "$spike/bin/spike" --rates 0 20 1 > "$prefix/share/fi-curve.csv"
  EOT
}

target "image" "quickstart" {
  packages   = [recipe.spike, recipe.fi-curve]
  files      = { "/about.txt" = "quickstart/about.txt" }
  entrypoint = ["${recipe.spike.prefix}/bin/spike"]
  labels     = { "org.opencontainers.image.title" = "A neuron that fires" }
  publish    = ["oci:dist/quickstart:${var.release}"]

  # Runs inside the image; where it fails, nothing is published.
  check "fires" {
    command = ["${recipe.spike.prefix}/bin/spike", "--current", "10"]
  }
}

output "digest" {
  description = "The same wherever the same sources meet the same compiler."
  value       = target.image.quickstart.digest
}

# A laboratory for computational neuroscience, as a container image: the
# simulators NEST, NEURON and Arbor with MPI, and the Python stack around them.
# 13 specs, 148 concrete packages, of which 100 come into the image.
#
# What Spack made of the specs is committed beside this file (locks/lab.spack.lock),
# so a plan needs no Spack and takes an instant:
#
#   esd plan examples/ebrains-lab.hcl
#   esd plan examples/ebrains-lab.hcl --var buildcache=oci://registry.example.org/esd/buildcache
#
# With a build cache that has everything, apply puts the image together without
# Spack, without a container runtime and without root. What is missing, Spack
# builds, and the result is in the build cache at once.

variable "buildcache" {
  description = "The build cache: a directory, file://, https://, s3:// or oci://."
  type        = string
  default     = "ebrains-lab/buildcache"
}

variable "base" {
  description = "The image to build upon, such as debian:12-slim; esd lock pins it. The packages use the C library of Debian 12."
  type        = string
  default     = null
}

variable "publish" {
  description = "Where the image goes."
  type        = string
  default     = "oci:dist/ebrains-lab:latest"
}

spack "develop" {
  repository = "https://github.com/spack/spack.git"
  ref        = "9cf66332df3dd988248617fc93400045be59ebab"

  package_repository "builtin" {
    repository = "https://github.com/spack/spack-packages.git"
    ref        = "57dc8b7cb9ffed7b9f551f2c15be8291ea7b04ef"
  }
}

cache "buildcache" "shared" {
  url = var.buildcache
}

environment "lab" {
  spack = spack.develop
  specs = [
    "openmpi", "hdf5+mpi", "gsl",
    "nest+mpi+python", "neuron+mpi+python", "arbor+mpi+python",
    "py-numpy", "py-scipy", "py-matplotlib", "py-pandas", "py-mpi4py", "py-h5py+mpi", "py-ipython",
  ]
  config = {
    packages = {
      all    = { require = "target=x86_64_v3" }
      mpi    = { require = "openmpi" }
      blas   = { require = "openblas" }
      lapack = { require = "openblas" }
    }
  }
  caches = [cache.buildcache.shared]

  package "nest" {
    resources {
      cpus            = 4
      memory_per_core = "2GiB"
    }
  }
  package "arbor" {
    resources {
      cpus            = 4
      memory_per_core = "3GiB"
    }
  }
}

target "image" "lab" {
  packages   = [environment.lab]
  base       = var.base
  platform   = "linux/amd64"
  entrypoint = ["${environment.lab.packages["py-ipython"]}/bin/ipython"]
  publish    = [var.publish]
}

output "lab" {
  value = target.image.lab.digest
}

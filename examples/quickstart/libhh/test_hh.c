/* Tests of libhh. They run in the build: a library that fails is not packaged. */
#include "hh.h"

#include <math.h>
#include <stdio.h>

static int failures;

static void expect(int ok, const char *sentence, double got)
{
    printf("%s %s (%.6g)\n", ok ? "ok  " : "FAIL", sentence, got);
    failures += !ok;
}

/* The voltage after 5 ms of strong current, computed with steps of dt. */
static double voltage(double dt)
{
    struct hh_state s = hh_equilibrium(-65.0);
    long steps = lround(5.0 / dt);
    for (long i = 0; i < steps; i++)
        hh_step(&hh_squid, &s, 10.0, dt);
    return s.v;
}

int main(void)
{
    expect(fabs(hh_alpha('m', -40.0) - 1.0) < 1e-9, "the rate of m is continuous at -40 mV", hh_alpha('m', -40.0));
    expect(fabs(hh_alpha('n', -55.0) - 0.1) < 1e-9, "the rate of n is continuous at -55 mV", hh_alpha('n', -55.0));

    struct hh_state rest = hh_equilibrium(-65.0);
    for (int i = 0; i < 10000; i++)
        hh_step(&hh_squid, &rest, 0.0, 0.01);
    expect(fabs(rest.v + 65.0) < 0.1, "without current the membrane rests at -65 mV", rest.v);

    double exact = voltage(0.0005);
    double order = log2(fabs(voltage(0.02) - exact) / fabs(voltage(0.01) - exact));
    expect(fabs(order - 4.0) < 0.3, "the integrator is of fourth order", order);

    int quiet = hh_count_spikes(&hh_squid, 2.0, 1000.0, 0.01);
    expect(quiet == 0, "a weak current makes no action potential", quiet);
    int firing = hh_count_spikes(&hh_squid, 10.0, 1000.0, 0.01);
    expect(firing >= 65 && firing <= 72, "10 uA/cm2 make it fire at close to 68 Hz", firing);
    return failures != 0;
}

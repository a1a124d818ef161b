/* spike - shows how a neuron answers to a constant current. */
#include <hh.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double dt = 0.01; /* ms */

enum { ROWS = 12, COLUMNS = 72 };

static const char usage[] =
    "usage: spike [--current I] [--ms T]      draw the membrane potential and print the firing rate\n"
    "       spike --csv [--current I] [--ms T]   print time and potential, a line for each 0.1 ms\n"
    "       spike --rates FROM TO STEP        print current and firing rate as CSV\n"
    "currents are in uA/cm2\n";

static double number(const char *s)
{
    char *end;
    double x = strtod(s ? s : "", &end);
    if (s == NULL || *s == '\0' || *end != '\0') {
        fprintf(stderr, "spike: a number is expected, not '%s'\n%s", s ? s : "", usage);
        exit(2);
    }
    return x;
}

static double rate(double current)
{
    return hh_count_spikes(&hh_squid, current, 1000.0, dt);
}

static void csv(double current, double duration)
{
    struct hh_state s = hh_equilibrium(-65.0);
    long steps = (long)(duration / dt + 0.5);
    puts("ms,mV");
    for (long i = 0; i <= steps; i++) {
        if (i % 10 == 0)
            printf("%.1f,%.3f\n", (double)i * dt, s.v);
        hh_step(&hh_squid, &s, current, dt);
    }
}

static void rates(double from, double to, double step)
{
    puts("uA/cm2,Hz");
    for (int i = 0; from + i * step <= to + step / 1000.0; i++)
        printf("%.2f,%.0f\n", from + i * step, rate(from + i * step));
}

/* The row of the drawing for a potential: 40 mV is at the top, -80 at the bottom. */
static int row(double v)
{
    int r = (int)((40.0 - v) / 120.0 * (ROWS - 1) + 0.5);
    return r < 0 ? 0 : r >= ROWS ? ROWS - 1 : r;
}

static void draw(double current, double duration)
{
    char picture[ROWS][COLUMNS + 1];
    for (int r = 0; r < ROWS; r++) {
        memset(picture[r], ' ', COLUMNS);
        picture[r][COLUMNS] = '\0';
    }
    struct hh_state s = hh_equilibrium(-65.0);
    long steps = (long)(duration / dt + 0.5);
    for (long i = 0; i < steps; i++) {
        picture[row(s.v)][i * COLUMNS / steps] = '*';
        hh_step(&hh_squid, &s, current, dt);
    }
    for (int r = 0; r < ROWS; r++)
        printf("%4.0f mV |%s\n", 40.0 - 120.0 * r / (ROWS - 1), picture[r]);
    printf("         0 ms %*.0f ms\n", COLUMNS - 6, duration);
    printf("A Hodgkin-Huxley neuron under %g uA/cm2 fires at %.0f Hz.\n", current, rate(current));
}

int main(int argc, char **argv)
{
    double current = 10.0, duration = 60.0;
    int as_csv = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--current") == 0 && i + 1 < argc) {
            current = number(argv[++i]);
        } else if (strcmp(argv[i], "--ms") == 0 && i + 1 < argc) {
            duration = number(argv[++i]);
        } else if (strcmp(argv[i], "--csv") == 0) {
            as_csv = 1;
        } else if (strcmp(argv[i], "--rates") == 0 && i + 3 < argc) {
            rates(number(argv[i + 1]), number(argv[i + 2]), number(argv[i + 3]));
            return 0;
        } else {
            fputs(usage, strcmp(argv[i], "--help") == 0 ? stdout : stderr);
            return strcmp(argv[i], "--help") == 0 ? 0 : 2;
        }
    }
    if (duration < 1.0 || duration > 10000.0) {
        fputs("spike: a simulation lasts from 1 to 10000 ms\n", stderr);
        return 2;
    }
    (as_csv ? csv : draw)(current, duration);
    return 0;
}

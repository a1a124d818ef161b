#include <stdio.h>

int main(void) {
    printf("%s from a program that is built once.\n", GREETING);
    return 0;
}

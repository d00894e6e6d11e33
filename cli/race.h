/* aio --find-race K: does the order within a turn of the loop change what a program does? */
#ifndef AIO_CLI_RACE_H
#define AIO_CLI_RACE_H

/* Runs the program without --find-race once as it is and `runs` times with --shuffle --seed 1, 2, ... The status: 0 no
 * difference, 1 a difference (reported), 2 it could not be run. */
int race_main(int argc, char **argv, long runs);

#endif

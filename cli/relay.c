/* relay.c: a pseudo-terminal between child processes and the prompt.
 *
 * A child that inherited the terminal itself would write over the line that is being edited. It gets this one instead:
 * still a terminal, so that it writes line by line and in colours. The slave stays open here, so the master never sees
 * an end. Nothing is changed on the way: the real terminal turns line ends into what it wants.
 */
#include "cli/relay.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

void relay_resize(struct relay *r, unsigned columns, unsigned rows)
{
    struct winsize size = {.ws_col = (unsigned short)columns, .ws_row = (unsigned short)rows};
    if (r->master >= 0) ioctl(r->master, TIOCSWINSZ, &size);
}

bool relay_open(struct relay *r, unsigned columns, unsigned rows)
{
    char name[64];
    struct termios modes;
    r->slave = -1;
    r->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (r->master >= 0 && grantpt(r->master) == 0 && unlockpt(r->master) == 0 &&
        ptsname_r(r->master, name, sizeof name) == 0)
        r->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (r->slave < 0 || tcgetattr(r->slave, &modes) != 0) {
        relay_close(r);
        return false;
    }
    modes.c_oflag &= (tcflag_t)~OPOST;
    tcsetattr(r->slave, TCSANOW, &modes);
    relay_resize(r, columns, rows);
    return true;
}

void relay_close(struct relay *r)
{
    if (r->master >= 0) close(r->master);
    if (r->slave >= 0) close(r->slave);
    r->master = r->slave = -1;
}

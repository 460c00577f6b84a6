/*
 * territory.c - the eight antennas and the thirty-nine communes.
 *
 * From the funding files of 2020. Pays d'Aix counts its inhabitants by basin and
 * not by commune, so that only the three communes of Martigues have a population.
 */
#include "core/plie/territory.h"

#define AIX "pays-d-aix"
#define MARTIGUES "martigues"

static const char centre[] = "Centre";
static const char sud[] = "Sud";
static const char durance[] = "Val de Durance";
static const char trevaresse[] = "Chaîne des Côtes et Trévaresse";
static const char arc[] = "Haute Vallée de l'Arc";

const struct mg_antenna mg_antennas[] = {
    {MARTIGUES "/mdfj", "Maison de la Formation et de la Jeunesse de Martigues (MDFJ)", MARTIGUES},
    {MARTIGUES "/msp-port-de-bouc", "Maison des Services au Public de Port-de-Bouc (MSP)",
     MARTIGUES},
    {MARTIGUES "/mjs-saint-mitre",
     "Maison de la Jeunesse et du Social de Saint-Mitre-les-Remparts (MJS)", MARTIGUES},
    {AIX "/centre", "Bassin Centre", AIX},
    {AIX "/sud", "Bassin Sud", AIX},
    {AIX "/val-de-durance", "Bassin Val de Durance", AIX},
    {AIX "/cotes-trevaresse", "Bassin Chaîne des Côtes et Trévaresse", AIX},
    {AIX "/haute-vallee-arc", "Bassin Haute Vallée de l'Arc", AIX},
};

const size_t mg_antenna_count = sizeof(mg_antennas) / sizeof(mg_antennas[0]);

const struct mg_commune mg_communes[] = {
    {"13001", "Aix-en-Provence", centre, AIX, 0},
    {"13095", "Saint-Marc-Jaumegarde", centre, AIX, 0},
    {"13111", "Vauvenargues", centre, AIX, 0},
    {"13109", "Le Tholonet", centre, AIX, 0},

    {"13117", "Vitrolles", sud, AIX, 0},
    {"13071", "Les Pennes-Mirabeau", sud, AIX, 0},
    {"13019", "Cabriès", sud, AIX, 0},
    {"13015", "Bouc-Bel-Air", sud, AIX, 0},
    {"13107", "Simiane-Collongue", sud, AIX, 0},
    {"13062", "Mimet", sud, AIX, 0},
    {"13041", "Gardanne", sud, AIX, 0},
    {"13046", "Gréasque", sud, AIX, 0},

    {"13048", "Jouques", durance, AIX, 0},
    {"13080", "Le Puy-Sainte-Réparade", durance, AIX, 0},
    {"13059", "Meyrargues", durance, AIX, 0},
    {"84089", "Pertuis", durance, AIX, 0},
    {"13074", "Peyrolles-en-Provence", durance, AIX, 0},
    {"13093", "Saint-Estève-Janson", durance, AIX, 0},
    {"13099", "Saint-Paul-lès-Durance", durance, AIX, 0},
    {"13113", "Venelles", durance, AIX, 0},
    {"13084", "La Roque-d'Anthéron", durance, AIX, 0},

    {"13050", "Lambesc", trevaresse, AIX, 0},
    {"13082", "Rognes", trevaresse, AIX, 0},
    {"13091", "Saint-Cannat", trevaresse, AIX, 0},
    {"13032", "Éguilles", trevaresse, AIX, 0},
    {"13114", "Ventabren", trevaresse, AIX, 0},
    {"13118", "Coudoux", trevaresse, AIX, 0},

    {"13012", "Beaurecueil", arc, AIX, 0},
    {"13025", "Châteauneuf-le-Rouge", arc, AIX, 0},
    {"13040", "Fuveau", arc, AIX, 0},
    {"13072", "Peynier", arc, AIX, 0},
    {"13087", "Rousset", arc, AIX, 0},
    {"13079", "Puyloubier", arc, AIX, 0},
    {"13090", "Saint-Antonin-sur-Bayon", arc, AIX, 0},
    {"13110", "Trets", arc, AIX, 0},
    {"13060", "Meyreuil", arc, AIX, 0},

    {"13056", "Martigues", NULL, MARTIGUES, 48783},
    {"13077", "Port-de-Bouc", NULL, MARTIGUES, 16682},
    {"13098", "Saint-Mitre-les-Remparts", NULL, MARTIGUES, 5875},
};

const size_t mg_commune_count = sizeof(mg_communes) / sizeof(mg_communes[0]);
